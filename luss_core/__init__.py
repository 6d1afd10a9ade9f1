"""Large-scale unsupervised semantic segmentation: photographs in, pixel-level categories out.

Shape letters used in every comment and annotation of this package:
``B`` batch of this process, ``W`` processes, ``V`` views, ``C`` categories or channels, ``H W`` map, ``D`` projection,
``K`` prototypes, ``N`` images, ``Q`` queue.
"""

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """``luss_core.Segmenter``, which loads torch, only once it is asked for."""
    if name != "Segmenter":
        raise AttributeError(f"module {__name__} has no attribute {name}")
    from luss_core.predict.segmenter import Segmenter

    return Segmenter
