"""A file of labels: what runs again when it changes, and what is refused before any work."""

import csv

import yaml

from .conftest import TINY
from .test_rerun import CLUSTER


def test_a_file_of_labels_runs_the_clusters_again_whenever_it_changes(project, tmp_path):
    with (project.work / "results/tiny/prepare/images.csv").open(newline="") as file:
        train = [row for row in csv.DictReader(file) if row["split"] == "train"]
    labels, settings = tmp_path / "its labels.csv", tmp_path / "settings.yaml"
    lines = ["image,category", *(f"{row['path']},{row['folder']}" for row in train)]
    labels.write_text("\n".join(lines))
    settings.write_text(yaml.safe_dump({"cluster": {"assign": "file", "labels": str(labels)}}))
    given = ("--configfile", TINY, settings)
    assert project.planned(*given) == CLUSTER
    assert project.snakemake("--touch", "--cores", "1", *given).returncode == 0
    assert project.planned(*given) == set()
    labels.write_text("\n".join([*lines, f"{train[0]['path']},{train[-1]['folder']}"]))
    run = project.snakemake("--dry-run", *given)
    assert run.returncode == 1
    assert "cross-entropy lets one category exclude the others, and 1 of 40 labelled images" in run.stdout + run.stderr
    labels.write_text("\n".join(lines[:-1]))
    assert project.planned(*given) == CLUSTER
