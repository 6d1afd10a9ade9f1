"""Digests of what files hold: equal for equal content, whatever commit of this package wrote it. Imports no torch."""

import hashlib
import json
from pathlib import Path

from safetensors import SafetensorError, safe_open


def content(file: Path) -> str:
    """SHA-256 of what a file of a stage holds.

    A store of pixels may be large; it says itself what it holds. Of weights the tensors and the shape of the network
    count, not the provenance: weights that are written again by other source are the same weights.

    Raises:
        FileNotFoundError: it is not there yet; names it, by which Snakemake knows that it will be.
    """
    file.stat()  # safetensors would not name it
    if file.suffix == ".h5":
        return _of_store(file)
    if file.suffix == ".safetensors":
        return _of_weights(file)
    return _of_bytes(file)


def _of_store(file: Path) -> str:
    import h5py

    with file.open("rb") as stream, h5py.File(stream) as store:
        return str(store.attrs["fingerprint"])


def _of_weights(file: Path) -> str:
    try:
        with safe_open(file, "numpy") as weights:
            about = json.loads((weights.metadata() or {})["luss"])
            for key in ("provenance", "sha256"):
                about.pop(key, None)
            found = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
            for name in sorted(weights.keys()):
                tensor = weights.get_tensor(name)
                found.update(repr((name, tensor.dtype.str, tensor.shape)).encode() + tensor.tobytes())
    except (SafetensorError, KeyError):  # Damaged, as the stage that reads it says, or of others.
        return _of_bytes(file)
    return found.hexdigest()


def _of_bytes(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
