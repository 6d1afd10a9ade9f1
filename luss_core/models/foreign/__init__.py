"""Weights that others trained: read without running anything, recognised by structure, loaded whole or not at all.

``load_file`` is all that a stage needs.
"""

from luss_core.models.foreign.load import Loaded, load_file

__all__ = ["Loaded", "load_file"]
