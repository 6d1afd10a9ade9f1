"""The calls of `conda` that Snakemake makes, answered with py-rattler: it solves and installs as conda does.

Not for users: channels are folders beside each other, and pin files are refused.
"""

import argparse
import asyncio
import json
import os
import shlex
import shutil
import sys
from pathlib import Path

import yaml

VERSION = "25.1.0"
HERE = Path(__file__).parent


def install(base: Path) -> None:
    """Make ``base`` look like an installation of conda; its channels go to ``base``/channels, ``base``/bin to PATH."""
    (base / "bin").mkdir(parents=True)
    root = HERE.parents[1]
    command = f"PYTHONPATH={shlex.quote(str(root))} exec {shlex.quote(sys.executable)} -m tests.conda.command"
    script = base / "bin" / "conda"
    script.write_text(f'#!/bin/sh\n{command} {shlex.quote(str(base))} "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    shutil.copy(HERE / "activate", base / "bin")


def main(base: Path, arguments: list[str]) -> None:
    match arguments:
        case ["--version"]:
            _say(f"conda {VERSION}")
        case ["info", "--json"]:
            from rattler.platform import Platform

            _say(json.dumps({"conda_prefix": str(base), "platform": str(Platform.current())}))
        case ["config", "--get", "channel_priority", "--json"]:
            _say(json.dumps({"get": {"channel_priority": "strict"}}))
        case ["clean", "-y", "--tarballs"]:  # the packages are kept for the next environment
            pass
        case ["env", "create", *rest]:
            parser = argparse.ArgumentParser(prog="conda env create")
            parser.add_argument("--quiet", action="store_true")
            parser.add_argument("--no-default-packages", action="store_true")
            parser.add_argument("--file", type=Path, required=True)
            parser.add_argument("--prefix", type=Path, required=True)
            args = parser.parse_args(rest)
            asyncio.run(create(base, args.file, args.prefix))
        case _:
            sys.exit(f"conda of the tests: cannot answer {shlex.join(arguments)}")


async def create(base: Path, file: Path, prefix: Path) -> None:
    """Solve an environment file from the channels of ``base`` and install it."""
    import rattler
    from rattler.platform import Platform

    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    if not all(isinstance(entry, str) for entry in content["dependencies"]):
        sys.exit("conda of the tests: an environment file with a pip section is not supported")
    channels = [(base / "channels" / name).as_uri() for name in content["channels"] if name != "nodefaults"]
    overrides = rattler.VirtualPackageOverrides.from_env()
    records = await rattler.solve(
        sources=channels,
        specs=content["dependencies"],
        gateway=rattler.Gateway(cache_dir=base / "cache"),
        platforms=[Platform.current(), Platform("noarch")],
        virtual_packages=rattler.VirtualPackage.detect(overrides),
    )
    await rattler.install(records, prefix, cache_dir=base / "packages", show_progress=False)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
    sys.stdout.flush()
    os._exit(0)  # threads of py-rattler may still run, and then an ordinary end of Python aborts now and then
