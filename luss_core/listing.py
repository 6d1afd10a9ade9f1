"""The methods of the registry: what each does, what it needs, and with a name every setting of it. Imports no torch."""

import argparse
import inspect
import sys

from luss_core.config import METHODS, MethodConfig
from luss_core.defaults import method_settings
from luss_core.errors import UserError
from luss_core.explain import nearest_first


def main(argv: list[str] | None = None) -> None:
    """Print all methods, or the settings of one with their defaults and meanings."""
    parser = argparse.ArgumentParser(
        "luss methods",
        description=__doc__,
        epilog="examples:\n  luss methods\n  luss methods swav",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", help="the method whose settings are printed, as YAML to begin from")
    name = parser.parse_args(argv).name
    if name is not None and name not in METHODS:
        raise UserError(f"unknown method {name!r}; {nearest_first(name, METHODS)}")
    lines = overview() if name is None else [f"name: {name}", *method_settings(name)]
    sys.stdout.write("\n".join(lines) + "\n")


def overview() -> list[str]:
    """A line a method: its name, the first sentence of what it says of itself, and what it needs."""
    width = max(map(len, METHODS))
    return [f"{name:{width}}  {summary(method.config)}" for name, method in METHODS.items()]


def summary(config: type[MethodConfig]) -> str:
    """What a method is, how many views it looks at, and what it reads beside the images."""
    settings = config.model_validate({})
    text = (inspect.getdoc(config) or "").partition("\n\n")[0].replace("\n", " ")
    views = f"{config.views} views" if config.views > 1 else "1 view"
    needs = [views + (" or more" if config.small_views else ""), *sorted(settings.needs)]
    return f"{text} Needs {', '.join(needs)}."
