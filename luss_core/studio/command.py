"""Look at a finished run in a browser and correct it: name, merge, split and move; everything can be undone.

  luss studio results/photographs/frozen/seed0

Opens a page on this machine alone. Nothing that the run found is changed: corrections are written to edits.yaml in the
folder of the run, and pages, predict and export respect them.
"""

import argparse
import logging
import secrets
import socket
import sys
from importlib.util import find_spec
from pathlib import Path

from luss_core.errors import UserError

NEEDED = ("starlette", "uvicorn")
PORT = 8701
TRIED = 50
"""Ports after the wanted one."""
LOCAL = "127.0.0.1"


def main(argv: list[str] | None = None) -> None:
    """Serve a run until Ctrl-C.

    Raises:
        UserError: no such run, no free port, or the libraries are missing.
    """
    parser = argparse.ArgumentParser(
        prog="luss studio", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run: results/<data set>/<preset>/seed<k>")
    parser.add_argument("--port", type=int, default=PORT, help=f"of the address ({PORT}); in use: the next free one")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    parser.add_argument("--threads", type=int, default=2, help="processor cores to use (2)")
    args = parser.parse_args(argv)
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise UserError(
            f"the studio needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed:"
            f" {sys.executable} -m pip install {' '.join(NEEDED)}"
        )
    serve(args.run, args.port, args.threads, args.open)


def serve(run: Path, port: int, threads: int, in_browser: bool) -> None:
    """Raises:
    UserError: as main.
    """
    import uvicorn

    logging.getLogger("faiss").setLevel(logging.WARNING)  # which processor it found is nobody's business here

    from luss_core.stages.all_images import read_files
    from luss_core.studio.app import make_app
    from luss_core.studio.session import Session, found_run

    if not 1 <= port <= 65535:
        raise UserError(f"--port {port}: allowed are 1 to 65535; leave it out for {PORT}")
    folder = found_run(run)
    taken = bound(port)
    files, title, limit = read_files(folder)
    sys.stdout.write(f"Reading {folder} ...\n")
    sys.stdout.flush()
    session = Session(files, title, limit, threads)
    token = secrets.token_urlsafe(24)
    number = taken.getsockname()[1]
    if number != port:
        sys.stdout.write(f"Port {port} is in use; {number} is free and taken instead.\n")
    address = f"http://{LOCAL}:{number}/?token={token}"
    sys.stdout.write(f"{session.notice}\n" if session.notice else "")
    sys.stdout.write(f"Open this in a browser on this machine (Ctrl-C ends it):\n  {address}\n")
    sys.stdout.flush()
    if in_browser:
        import webbrowser

        webbrowser.open(address)
    server = uvicorn.Server(uvicorn.Config(make_app(session, token), log_level="warning", access_log=False))
    server.run(sockets=[taken])
    sys.stdout.write(f"Corrections are in {session.path}. To bring the report up to date, run luss again.\n")


def bound(port: int) -> socket.socket:
    """A socket on the first free port from the wanted one on, on this machine alone.

    Raises:
        UserError: none is free.
    """
    for number in range(port, min(port + TRIED, 65535) + 1):
        found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((LOCAL, number))
            found.listen(128)
            return found
        except PermissionError as error:
            found.close()
            raise UserError(f"--port {number}: only the system may use it; choose one above 1023") from error
        except OSError:
            found.close()
    raise UserError(f"the ports {port} to {min(port + TRIED, 65535)} are all in use; name another with --port")
