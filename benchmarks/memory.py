"""What this process holds in memory, for the other benchmarks."""

import resource
import sys
from pathlib import Path

UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in which the system counts the peak."""


def peak() -> float:
    """MB that it ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT / 1e6


def held() -> float:
    """MB that it holds now; where there is no /proc, the peak."""
    status = Path("/proc/self/status")
    if not status.exists():
        return peak()
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024 / 1e6
