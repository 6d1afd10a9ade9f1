"""What a person corrected in the run that a model or masks came from. Imports no torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from luss_core.data.features import read_clusters
from luss_core.edits import Edits
from luss_core.edits_file import NAME, of_run


def edits_of_run(run: Path, classes: int) -> Edits:
    """What is corrected in a run; nothing where it was clustered anew since, of which the log then tells.

    Args:
        run: results/<data set>/<preset>/seed<k>.
        classes: C.

    Raises:
        UserError: the file is broken, or names categories that there are not.
    """
    if not (run / NAME).exists():
        return Edits(categories=classes)
    clusters = run / "cluster" / "clusters.h5"
    clustering = read_clusters(clusters).fingerprint if clusters.exists() else ""
    return of_run(run / NAME, clustering, classes)[0]


def edits_beside(model: Path, about: Mapping[str, Any], classes: int) -> Edits:
    """What is corrected in the run of an exported file: what the file itself says, or what lies in the run around it.

    Args:
        about: what the file says.
        classes: C.

    Raises:
        UserError: as ``edits_of_run``.
    """
    if "edits" in about:
        return Edits.model_validate(about["edits"])
    run = model.absolute().parents[1]
    return edits_of_run(run, classes) if model.absolute().parent.name == "export" else Edits(categories=classes)
