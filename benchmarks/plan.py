"""The arithmetic of docs/scale.md: what a training step waits for on any number of GPUs, and how large things are."""

from typing import NamedTuple

from luss_core.config import ClusterConfig

BACKWARD = 2
"""Multiply-accumulates of a backward pass in multiples of the forward pass."""
FLOAT = 4
"""Bytes."""
STATE = 3 * FLOAT
"""Bytes a parameter: weight, gradient, momentum."""
PREFETCH = 4
"""Batches that a loader process has ready."""


class Machine(NamedTuple):
    """What GPUs, nodes and network do."""

    macs: float
    """Multiply-accumulates a second of one GPU."""
    operation: float
    """Seconds until a processor has started one operation on its GPU."""
    node: int
    """GPUs of a node."""
    workers: int
    """Loader processes of a GPU, a core each."""
    read: float
    """Bytes a second that a node reads from the file system."""
    memory: float
    """Bytes a GPU in which the system keeps what was read before."""
    latency: tuple[float, float]
    """Seconds of a small collective within a node, and across nodes."""
    bandwidth: tuple[float, float]
    """Bytes a second at which a GPU takes part in a sum of gradients, likewise."""


class Step(NamedTuple):
    """What a training step consists of."""

    macc: float
    """Multiply-accumulates of the forward pass of one image, all its crops."""
    operations: tuple[int, int]
    """In a process on its own, and in one of several."""
    collectives: int
    """Small exchanges where there are several processes, the sum of gradients aside."""
    parameters: int
    crop: float
    """Seconds of a core to cut the crops of one image."""
    stored: float
    """Bytes of an image as it is read."""
    images: int
    """Of an epoch, which reads them in an order of its own."""
    kept: float
    """Bytes of an image that the forward pass keeps for the backward pass."""
    waiting: float
    """Bytes of the crops of an image."""


def step_parts(step: Step, batch: int, gpus: int, machine: Machine) -> dict[str, float]:
    """Seconds of each part of one step of ``batch`` images over all GPUs."""
    own, nodes = batch / gpus, -(-gpus // machine.node)
    several, far = gpus > 1, nodes > 1
    remembered = min(1, machine.memory * min(gpus, machine.node) / (step.images * step.stored))
    sums = 2 * FLOAT * step.parameters / machine.bandwidth[far]  # every gradient is sent and received once
    return {
        "GPU": (1 + BACKWARD) * step.macc * own / machine.macs,
        "launches": step.operations[several] * machine.operation,
        "loader": own * step.crop / machine.workers,
        "reading": batch / nodes * step.stored * (1 - remembered) / machine.read,
        "exchange": several * (step.collectives * machine.latency[far] + sums),
    }


def step_seconds(parts: dict[str, float]) -> float:
    """The exchange comes on top of the slowest of the other parts, which run side by side."""
    return max(seconds for part, seconds in parts.items() if part != "exchange") + parts["exchange"]


def bottleneck(parts: dict[str, float]) -> str:
    return max(parts, key=lambda part: parts[part])


def training_hours(step: Step, batch: int, epochs: int, gpus: int, machine: Machine) -> float:
    """Only whole batches are trained on."""
    return epochs * (step.images // batch) * step_seconds(step_parts(step, batch, gpus, machine)) / 3600


def gpu_bytes(step: Step, batch: int, gpus: int) -> float:
    """Memory of one GPU without what is there for moments: workspaces, gradients of maps, the next batch."""
    return batch / gpus * step.kept + STATE * step.parameters


def loader_bytes(step: Step, batch: int, gpus: int, machine: Machine) -> float:
    """Memory of a node for batches that wait for its GPUs."""
    return PREFETCH * machine.workers * min(gpus, machine.node) * batch / gpus * step.waiting


def kmeans_flop(vectors: int, centroids: int, dim: int, cfg: ClusterConfig) -> float:
    """Distances to all centroids: of the vectors in memory in every iteration, and for the inertia of each restart; of
    all vectors in every pass, and to assign them."""
    held = min(vectors, cfg.sample * centroids or vectors)
    passes = cfg.passes if held < vectors else 0
    return 2.0 * centroids * dim * (held * (cfg.iterations + 1) * cfg.restarts + vectors * (passes + 1))
