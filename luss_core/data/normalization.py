"""Mean and deviation of the colours of ImageNet, by which images are normalised. Imports no torch."""

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""The official training code has .228, a typo it inherited from SwAV; inference there has .229."""
