"""Commands that need no workflow: python -m luss_core COMMAND --help."""

import importlib
import sys

COMMANDS = {
    "check-store": "luss_core.data.verify",
    "convert-weights": "luss_core.models.foreign.command",
    "evaluate": "luss_core.metrics.command",
    "look": "luss_core.stages.look",
    "methods": "luss_core.listing",
    "model-info": "luss_core.models.command",
    "run": "luss_core.start",
    "submission": "luss_core.metrics.submission",
    "suggest": "luss_core.stages.suggest",
}
"""Command -> module with main(argv); imported only when called."""


def main(argv: list[str] | None = None) -> None:
    """Run one command."""
    name, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in COMMANDS:
        importlib.import_module(COMMANDS[name]).main(rest)
        return
    usage = f"usage: python -m luss_core {{{','.join(COMMANDS)}}} ...\n"
    if name in ("-h", "--help"):
        sys.stdout.write(usage + "python -m luss_core COMMAND --help explains a command\n")
    else:
        sys.stderr.write(f"{usage}error: unknown command {name}\n")
        sys.exit(2)


if __name__ == "__main__":
    from luss_core import cli

    cli.run(main)
