"""Large-scale unsupervised semantic segmentation: photographs in, pixel-level categories out.

Shape letters used in every comment and annotation of this package:
``B`` batch of this process, ``W`` processes, ``V`` views, ``C`` categories or channels, ``H W`` map, ``D`` projection,
``K`` prototypes, ``N`` images, ``Q`` queue.
"""

__version__ = "0.1.0"
