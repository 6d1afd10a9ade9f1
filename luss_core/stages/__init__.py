"""One module, one function a stage."""
