"""A conda channel in a folder: one stub package for each package that envs/*.yaml ask for, and for what those need.

A stub holds links to the files of one installed Python package and depends on the stubs of its requirements. So an
environment holds what its file asks for and no more: a package that is missing there cannot be imported.
"""

import asyncio
import hashlib
import io
import json
import os
import platform
import sys
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

DISTRIBUTIONS = {
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "matplotlib-base": "matplotlib",
}
"""Names of conda-forge that are not those of PyPI."""

SITE_OF_ENV = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"

RECORDER = '''"""Each start of the Python of this environment is one line: a rule that ran outside leaves none."""

import json
import os
import sys

line = {
    "arguments": sys.orig_argv[1:],
    "active": os.environ.get("CONDA_PREFIX"),
    "path": sys.path,
}
with open(os.path.join(sys.prefix, "started.jsonl"), "a") as file:
    file.write(json.dumps(line) + "\\n")
'''


def build(channel: Path, environments: Iterable[Path]) -> None:
    """Make the channel that the environment files can be solved from."""
    from rattler.index import index_fs

    asked = {name for file in environments for name in dependencies(file)} - {"python"}
    (channel / "noarch").mkdir(parents=True)
    _package(channel, "python", platform.python_version(), _python(), [])
    for name in sorted(asked & DISTRIBUTIONS.keys()):
        wanted = DISTRIBUTIONS[name]
        depends = [wanted] if name == wanted else [wanted, *(["__cuda"] if name.endswith("-gpu") else [])]
        _package(channel, name, metadata.version(wanted), {}, depends)
    for name, depends in closure(DISTRIBUTIONS.get(name, name) for name in asked).items():
        found = metadata.distribution(name)
        _package(channel, name, found.version, dict(_links(found)), ["python", *sorted(depends)])
    asyncio.run(index_fs(channel))


def dependencies(file: Path) -> list[str]:
    """Names of the packages in an environment file."""
    return [entry.split()[0] for entry in yaml.safe_load(file.read_text(encoding="utf-8"))["dependencies"]]


def closure(names: Iterable[str]) -> dict[str, set[str]]:
    """The installed packages that are needed, and the names of those that each needs itself."""
    found: dict[str, set[str]] = {}
    waiting, seen = [Requirement(name) for name in names], set()
    while waiting:
        wanted = waiting.pop()
        name, extras = canonicalize_name(wanted.name), frozenset(wanted.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        requirements = [
            need
            for need in map(Requirement, metadata.requires(name) or [])
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras))
        ]
        found.setdefault(name, set()).update(canonicalize_name(need.name) for need in requirements)
        waiting += requirements
    return {name: needs - {name} for name, needs in found.items()}


def _python() -> dict[str, str | Path]:
    """A virtual environment of the interpreter that runs the tests, without its packages."""
    host = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    return {
        "pyvenv.cfg": f"home = {host.parent}\ninclude-system-site-packages = false\n",
        "bin/python": host,
        "bin/python3": Path("python"),
        f"{SITE_OF_ENV}/recorder.py": RECORDER,
        f"{SITE_OF_ENV}/recorder.pth": "import recorder\n",  # sitecustomize.py is Debian's already
    }


def _links(distribution: metadata.Distribution) -> Iterator[tuple[str, Path]]:
    """Where each part of an installed package is found; folders that several packages share are not linked whole."""
    site = Path(str(distribution.locate_file("")))
    for file in distribution.files or []:
        if file.parts[0] in ("..", "__pycache__"):
            continue
        for length in range(1, len(file.parts) + 1):
            part = Path(*file.parts[:length])
            own = (site / part / "__init__.py").exists() or part.suffix in (".dist-info", ".libs")
            if own or length == len(file.parts):
                yield f"{SITE_OF_ENV}/{part.as_posix()}", site / part
                break


def _package(channel: Path, name: str, version: str, content: Mapping[str, str | Path], depends: Iterable[str]) -> None:
    """Write NAME-VERSION-0.tar.bz2. Content is the text of a file, or the path that a link points to."""
    index = {
        "name": name,
        "version": version,
        "build": "0",
        "build_number": 0,
        "depends": list(depends),
        "arch": None,
        "platform": None,
        "noarch": "generic",
        "subdir": "noarch",
    }
    paths = [_described(path, value) for path, value in content.items()]
    texts = {
        "info/index.json": json.dumps(index),
        "info/paths.json": json.dumps({"paths_version": 1, "paths": paths}),
        "info/files": "".join(f"{path}\n" for path in content),
    }
    with tarfile.open(channel / "noarch" / f"{name}-{version}-0.tar.bz2", "w:bz2") as archive:
        for path, value in (texts | dict(content)).items():
            entry = tarfile.TarInfo(path)
            if isinstance(value, Path):
                entry.type, entry.linkname = tarfile.SYMTYPE, os.fspath(value)
                archive.addfile(entry)
            else:
                entry.size = len(value.encode())
                archive.addfile(entry, io.BytesIO(value.encode()))


def _described(path: str, value: str | Path) -> dict[str, object]:
    if isinstance(value, Path):
        return {"_path": path, "path_type": "softlink"}
    data = value.encode()
    return {
        "_path": path,
        "path_type": "hardlink",
        "size_in_bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
