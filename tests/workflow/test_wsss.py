"""`snakemake wsss`: what it plans, and what it refuses before any work."""

from PIL import Image

VIEWS = "finetune={views: {crops: [{count: 1, size: 96, scale: [0.25, 1.0]}]}}"


def test_rows_share_all_that_is_equal(fresh):
    asked = "wsss={encoders: [swav, random], methods: [cam, seam, cam+advcam, seam+advcam]}"
    jobs = fresh.jobs("wsss", "--config", asked, VIEWS, "seeds=[0,1]")
    made = {"synthesize": 1, "prepare": 1, "pretrain": 4, "extract": 4, "cluster": 8, "finetune": 16}
    assert jobs == made | {"infer": 32, "evaluate": 32, "wsss": 1}


def test_without_an_encoder_or_labels_it_says_what_to_set(fresh, tmp_path):
    run = fresh.snakemake("--dry-run", "wsss")
    assert run.returncode
    assert "error: config: wsss.encoders is [], so there is nothing to compare: name presets" in run.stderr
    assert "Traceback" not in run.stderr
    assert fresh.jobs()["report"] == 1  # what does not ask for the table does not mind
    for k in range(12):
        Image.new("RGB", (64, 64), (k, 0, 0)).save(tmp_path / f"{k}.png")
    asked = [f"data_root={tmp_path}", "wsss={encoders: [swav]}", "classes=3", VIEWS, "device=cpu"]
    project = fresh.copy(tmp_path / "project")
    run = project.snakemake("--cores", "1", "--config", *asked, "--", "wsss")
    assert (
        "wsss.labels has folders: the training images lie in 1, and classes = 3; sort them" in run.stdout + run.stderr
    )
    assert "rule pretrain" not in run.stdout + run.stderr
