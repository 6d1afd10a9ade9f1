"""Tests of networks run on one thread: small tensors gain nothing from two, and shared cores lose much.

Processes that tests start keep byte code, as those of users do: Snakemake looks at all source a second faster then.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
