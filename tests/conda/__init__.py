"""A small `conda` on py-rattler and a channel of stub packages, so that tests use `--use-conda` without a network."""
