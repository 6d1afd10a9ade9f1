"""Where the exported file of a run lies. Imports no torch."""

from pathlib import Path

from luss_core.errors import UserError

MODEL = "export/model.safetensors"
"""Below a run folder."""


def model_file(path: Path) -> Path:
    """The file of a model: this one, or that of the one run in a folder.

    Raises:
        UserError: there is none, or several.
    """
    if not path.is_dir():
        if not path.exists():
            raise UserError(f"{path} does not exist; give export/model.safetensors of a run, or the folder of a run")
        return path
    found = [file for depth in ("", "*/", "*/*/") for file in sorted(path.glob(depth + MODEL))]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(str(file.parents[1]) for file in found[:5])
        raise UserError(f"{path} holds {len(found)} runs with a model; give one of them: {names}")
    raise UserError(
        f"{path} holds no run with {MODEL}; give the folder of a finished run, such as"
        " results/photographs/frozen/seed0, or run the stage export"
    )
