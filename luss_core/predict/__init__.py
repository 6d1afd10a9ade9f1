"""A finished model on images that it has not seen."""
