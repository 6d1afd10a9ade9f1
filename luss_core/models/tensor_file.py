"""Weight files as they are read: tensors by name, and a word on what they are. Loads torch only for torch tensors."""

import json
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open

from luss_core.errors import UserError


def read_tensors(path: Path, kind: Literal["pt", "np"], stage: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tensors, of torch or of NumPy, and what was said about them.

    Args:
        stage: that writes the file, for messages.

    Raises:
        UserError: missing, cut short, or not written by this package.
    """
    try:
        with safe_open(path, kind) as file:
            about = json.loads((file.metadata() or {})["luss"])
            return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118 - not a mapping
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; run the stage {stage}, which writes it") from error
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise UserError(
            f"{path} is not a whole weight file of {stage} ({error}); delete it and run {stage} again"
        ) from error
