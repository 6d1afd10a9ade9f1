"""Tests of networks run on one thread: small tensors gain nothing from two, and shared cores lose much."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
