"""The command `luss`, and `python -m luss_core`, which is the same: what people do, and a module for each command."""

import ast
import importlib
import re
import sys
from pathlib import Path
from typing import NamedTuple

from luss_core.errors import UserError

COMMANDS = {
    "check-store": "luss_core.data.verify",
    "convert-weights": "luss_core.models.foreign.command",
    "evaluate": "luss_core.metrics.command",
    "export": "luss_core.away.command",
    "look": "luss_core.stages.look",
    "methods": "luss_core.listing",
    "model-info": "luss_core.models.command",
    "photos": "luss_core.photos.command",
    "predict": "luss_core.predict.command",
    "run": "luss_core.start",
    "studio": "luss_core.studio.command",
    "submission": "luss_core.metrics.submission",
    "suggest": "luss_core.stages.suggest",
}
"""Command -> module with main(argv); imported only when called."""


class Deed(NamedTuple):
    """One of the things that people do."""

    command: str
    what: str
    example: str


DEEDS = (
    Deed("photos", "Find categories in photographs", 'luss photos "my photographs"'),
    Deed("look", "Look at a folder first", 'luss look "my photographs"'),
    Deed("suggest", "Ask how many categories there are", "luss suggest results/my-photographs/frozen/seed0"),
    Deed("studio", "Look at the result, name and correct it", "luss studio results/my-photographs/frozen/seed0"),
    Deed(
        "predict",
        "Apply it to other images",
        "luss predict results/my-photographs/frozen/seed0 other-photographs -o masks",
    ),
    Deed("export", "Take it to other programs", "luss export results/my-photographs/frozen/seed0 --to coco"),
)
"""In the order in which people do them; shown are those whose command there is."""


def script() -> None:
    """What the console script `luss` calls."""
    from luss_core import cli

    try:
        cli.run(main)
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped by Ctrl-C\n")
        sys.exit(130)


def main(argv: list[str] | None = None) -> None:
    """Run one command.

    Raises:
        UserError: there is no such command.
    """
    name, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in COMMANDS:
        importlib.import_module(COMMANDS[name]).main(rest)
    elif name in ("-h", "--help", "help"):
        sys.stdout.write(teach())
    elif name == "--version":
        from luss_core import __version__

        sys.stdout.write(f"luss {__version__}\n")
    else:
        raise UserError(unknown(name))


def teach() -> str:
    """What people do, an example of each, and all commands with what each says of itself."""
    deeds = [deed for deed in DEEDS if deed.command in COMMANDS]
    width = max(map(len, COMMANDS))
    return "\n".join(
        [
            "luss finds categories in photographs without any label, and paints where each of them is.",
            "",
            *(line for deed in deeds for line in (f"{deed.what}:", f"    {deed.example}")),
            "",
            "Every command explains itself: luss COMMAND --help. All of them:",
            *(f"  {name:{width}}  {_summary(module)}" for name, module in COMMANDS.items()),
            "",
        ]
    )


def unknown(name: str) -> str:
    """What to say of a command that there is not; the nearest first, and a folder is taken for photographs."""
    from luss_core.explain import nearest_first

    if Path(name).is_dir():
        import shlex

        return f"{name} is a folder; to find categories in its photographs: luss photos {shlex.quote(name)}"
    return f"there is no command {name!r}; {nearest_first(name, COMMANDS)}. What they do: luss --help"


def _summary(module: str) -> str:
    """Begin of the first sentence of a module, read without importing it, since some import torch."""
    file = Path(__file__).parents[1] / (module.replace(".", "/") + ".py")
    file = file if file.exists() else file.with_suffix("") / "__init__.py"
    doc = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return re.split(r"[.:,](?: |$)", " ".join(doc.split("\n\n")[0].split()))[0]


if __name__ == "__main__":
    script()
