"""Damage files of every kind in many ways and read them: `python -m tests.fuzz 20000`, with the figures as a table."""

import argparse
import faulthandler
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.outcome import tried
from tests.fuzz.readers import READERS


def main() -> int:
    parser = argparse.ArgumentParser("tests.fuzz", description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=20_000, help="damaged files, over all readers")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="name of a file")
    args = parser.parse_args()
    faulthandler.enable()
    chosen = [reader for reader in READERS if args.only in (None, reader.name)]
    each, failed, total, start = -(-args.count // len(chosen)), 0, 0, time.monotonic()
    sys.stdout.write(f"{'file':22}{'damaged':>9}{'refused':>9}{'read':>7}{'wrong':>7}{'seconds':>9}\n")
    for reader in chosen:
        begun = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            found = tried(reader, Path(folder), each, args.seed)
        total, failed = total + each, failed + len(found.wrong)
        counts = f"{each:9}{found.refused:9}{found.read:7}{len(found.wrong):7}{time.monotonic() - begun:9.1f}"
        sys.stdout.write(f"{reader.name:22}{counts}\n")
        for text in found.wrong[:5]:
            sys.stdout.write(f"  {text}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{total} damaged files in {time.monotonic() - start:.0f} s, {failed} of them wrong\n")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
