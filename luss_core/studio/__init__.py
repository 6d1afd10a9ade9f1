"""The page of all images with editing: a small server on this machine."""
