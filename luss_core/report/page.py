"""Templates to HTML: escaping, number formats, and the style in the page itself."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

FOLDER = Path(__file__).parent
MISSING = "–"


def render(template: str, **context: Any) -> str:
    """A whole page of one file: no address, style inside, no script but what the template asks of ``script``."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "share": share, "count": count, "images": images, "duration": duration}
    environment.globals |= {"script": script, "sheet": sheet}
    style = (FOLDER / "style.css").read_text(encoding="utf-8")
    page = environment.get_template(template).render(style=Markup(style), **context)
    # Names of files that are no UTF-8 hold lone surrogates, which no page can.
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def script(name: str) -> dict[str, Markup]:
    """A script of this folder, to be put into a page, and the digest by which the page allows it and no other."""
    text = f"\n{(FOLDER / name).read_text(encoding='utf-8')}"
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return {"text": Markup(text), "digest": Markup(f"sha256-{digest}")}


def sheet(name: str) -> Markup:
    """A style sheet of this folder, to be put into a page behind that of all pages."""
    return Markup((FOLDER / name).read_text(encoding="utf-8"))


def variables() -> dict[str, str]:
    """The colours of the page on a light screen, by name without the dashes."""
    style = (FOLDER / "style.css").read_text(encoding="utf-8")
    return dict(re.findall(r"--([\w-]+): ([^;]+);", style.partition("}")[0]))


def number(value: float | None, digits: int = 1) -> Markup:
    """A measured number, rounded to be read, never to -0.0; the whole number stays in the markup for programs."""
    if value is None:
        return Markup(f'<span class="missing">{MISSING}</span>')
    return Markup('<data value="{}">{}</data>').format(repr(float(value)), f"{round(value, digits) + 0.0:.{digits}f}")


def share(value: float) -> str:
    """A fraction in percent, with one digit below ten."""
    digits = 1 if 0 < value < 0.0995 else 0
    return f"{100 * value:.{digits}f}\N{NO-BREAK SPACE}%"


def count(value: int) -> str:
    return f"{value:,}"


def images(entry: dict[str, Any]) -> str:
    """Of how many images a score is: 748, or 748 of 752 where some that should be there are missing."""
    number, of = entry["images"], entry.get("of") or entry["images"]
    return count(number) if number == of else f"{count(number)} of {count(of)}"


def duration(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    if seconds < 5400:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"
