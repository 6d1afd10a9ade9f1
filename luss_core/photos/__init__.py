"""From a folder of photographs to categories with one command: it looks, chooses, writes settings, runs Snakemake."""
