"""What the Snakefile knows of probes: where the annotated images lie, what rules depend on. Imports no torch."""

import json
from pathlib import Path

from luss_core.config import Config
from luss_core.errors import UserError


def annotated(config: Config) -> Path | None:
    """The folder of the annotated data set; None where it is the generated one.

    Raises:
        UserError: no such folder.
    """
    root = config.probes.data.root or config.data_root
    if root is None:
        return None
    folder = Path(root).expanduser()
    if config.probes.data.root is not None and not folder.is_dir():
        raise UserError(
            f"config: probes.data.root: {folder} is not a folder (seen from {Path.cwd()}); name the folder of an"
            " annotated data set, or null for the images of this workflow"
        )
    return folder


def check(config: Config) -> None:
    """Look at the lists of a data set that the user names, before an encoder is trained for days.

    Raises:
        UserError: it is in another layout, a split is not there, files are missing, or a share is less than one image.
    """
    root = annotated(config)
    if config.probes.data.root is None or root is None:
        return
    from luss_core.data.annotated import read_annotated  # Pillow and NumPy: only where there is something to look at
    from luss_core.data.annotated.read import few

    train, _ = read_annotated(config.probes.data, root)
    few(len(train), min(config.probes.limited.percents), 0)


def settings(config: Config, stage: str) -> str:
    """The settings of linear or limited, and of the data set, as JSON text: a section probes without the rest of it.

    Not the list of shares: a share more or less runs no other again.
    """
    parts = config.probes.model_dump(mode="json", include={"data", stage})
    parts[stage].pop("percents", None)
    return json.dumps(parts, sort_keys=True)
