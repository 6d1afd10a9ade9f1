"""What the studio answers: the page, its pictures, and changes; to nobody but the browser that got the token."""

import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from luss_core.edits import Conflict
from luss_core.errors import UserError
from luss_core.studio.operations import Operation
from luss_core.studio.session import Session

NAMES = ("127.0.0.1", "localhost")
"""What this machine is called in addresses that are answered."""
LONGEST = 1 << 16
"""Bytes of a request."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
STRANGER = (
    "This page is for the person who started the studio: open the whole address that `luss studio` printed, with the"
    " part behind the question mark."
)


def make_app(session: Session, token: str) -> ASGIApp:
    """The studio of a run.

    Args:
        token: that the address has at first, and a cookie then.
    """
    studio = _Studio(session)
    routes = [
        Route("/", studio.page),
        Route("/state", studio.state),
        Route("/edit", studio.edit, methods=["POST"]),
        Route("/photo/{row:int}.jpg", studio.photo),
        Route("/mask/{row:int}.png", studio.mask),
        Route("/align/runs.html", studio.aligned),
        Route("/align/{number:int}.html", studio.aligned),
    ]
    return Guard(Starlette(routes=routes), token)


class _Studio:
    def __init__(self, session: Session):
        self.session = session

    async def page(self, _: Request) -> Response:
        try:
            return HTMLResponse(await run_in_threadpool(self.session.page), headers={"Cache-Control": "no-store"})
        except UserError as error:
            return PlainTextResponse(f"error: {error}", 500)

    async def state(self, _: Request) -> Response:
        return await self._state()

    async def edit(self, request: Request) -> Response:
        try:
            operation = Operation.model_validate_json(await request.body())
        except ValidationError:
            return JSONResponse({"error": "the page sent what the studio does not know; reload the page"}, 400)
        try:
            await run_in_threadpool(self.session.do, operation)
        except Conflict as conflict:
            return await self._state(409, error=str(conflict))
        except UserError as error:
            return await self._state(400, error=str(error))
        return await self._state()

    async def photo(self, request: Request) -> Response:
        return await self._picture(self.session.photo, request, "image/jpeg")

    async def mask(self, request: Request) -> Response:
        return await self._picture(self.session.mask, request, "image/png")

    async def aligned(self, request: Request) -> Response:
        """What other runs found, as JSON: here no page has to load it as a page."""
        found = await run_in_threadpool(self.session.aligned, request.url.path.rpartition("/")[2])
        return JSONResponse(found, 200 if found else 404, headers={"Cache-Control": "no-store"})

    async def _state(self, status: int = 200, **more: Any) -> Response:
        try:
            return JSONResponse(await run_in_threadpool(self.session.state) | more, status)
        except UserError as error:
            return JSONResponse({"error": str(error)}, 400)

    async def _picture(self, read: Callable[[int], bytes | None], request: Request, kind: str) -> Response:
        try:
            content = await run_in_threadpool(read, request.path_params["row"])
        except UserError as error:
            return PlainTextResponse(f"error: {error}", 500)
        if content is None:
            return PlainTextResponse("there is no such picture", 404)
        return Response(content, media_type=kind, headers={"Cache-Control": "private, max-age=3600"})


class Guard:
    """Lets nobody in but who has the token and asks this machine by its own name, and no page of others write.

    A page of a stranger could otherwise reach the server through the browser: by its address (the cookie is missing),
    by a name that is made to lead here (Host is another), or by sending a form (Origin is another).
    """

    def __init__(self, app: ASGIApp, token: str):
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        request = Request(scope)
        answer = self._refused(request) or self._introduced(request)
        if answer is not None:
            await answer(scope, receive, send)
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, sealed)

    def _refused(self, request: Request) -> Response | None:
        host = _host(request.headers.get("host", ""))
        if host not in NAMES:
            return PlainTextResponse("The studio answers on this machine only: http://127.0.0.1 and its port.", 403)
        if request.method not in ("GET", "HEAD"):
            own = {f"http://{request.headers['host']}"}
            if request.headers.get("origin") not in own or not _is_json(request.headers):
                return PlainTextResponse("Only the page of the studio itself may change something.", 403)
        return None

    def _introduced(self, request: Request) -> Response | None:
        given = request.query_params.get("token", "")
        if request.url.path == "/" and secrets.compare_digest(given.encode(), self.token.encode()):
            answer = RedirectResponse("/", 303, headers={"Cache-Control": "no-store"})
            answer.set_cookie(_cookie(request), self.token, httponly=True, samesite="strict")
            return answer
        known = request.cookies.get(_cookie(request), "")
        if not secrets.compare_digest(known.encode(), self.token.encode()):
            return PlainTextResponse(STRANGER, 403)
        return None


def _cookie(request: Request) -> str:
    """Cookies are of all ports of a machine, and two studios may be open."""
    return f"luss-studio-{request.url.port}"


def _host(header: str) -> str:
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _is_json(headers: Headers) -> bool:
    size = headers.get("content-length", "")
    kind = headers.get("content-type", "").partition(";")[0].strip()
    return kind == "application/json" and size.isdecimal() and int(size) <= LONGEST
