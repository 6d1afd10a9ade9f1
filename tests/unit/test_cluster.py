"""k-means, the balance report, and the HDF5 files around them."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import normalized_mutual_info_score

from luss_core.config import ClusterConfig
from luss_core.data.features import Clusters, read_clusters, read_features, write_features
from luss_core.errors import UserError
from luss_core.stages.cluster import assign, balance_report, cluster, fit_centroids, whiten


def blobs(count: int = 300, dim: int = 6, groups: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    label = rng.integers(0, groups, count)
    return (rng.normal(size=(groups, dim))[label] * 4 + rng.normal(size=(count, dim))).astype(np.float32), label


def test_inertia_is_as_low_as_scikit_learn():
    vectors, _ = blobs()
    centroids, inertias = fit_centroids(vectors, 5, 20, 10, seed=0)
    theirs = KMeans(5, n_init=10, random_state=0).fit(vectors).inertia_
    label, distance = assign(vectors, centroids)
    assert distance.sum() == pytest.approx(min(inertias), rel=1e-5)
    assert min(inertias) <= theirs * 1.001
    slow = ((vectors[:, None] - centroids[None]) ** 2).sum(axis=2)
    np.testing.assert_array_equal(label, slow.argmin(axis=1))
    np.testing.assert_allclose(distance, slow.min(axis=1), rtol=1e-3, atol=1e-3)


def test_same_seed_same_clusters():
    vectors, _ = blobs()
    one, two = (fit_centroids(vectors, 7, 10, 3, seed=4) for _ in range(2))
    np.testing.assert_array_equal(one[0], two[0])
    assert fit_centroids(vectors, 7, 10, 3, seed=5)[1] != one[1]


def test_balance_report_against_scikit_learn():
    label = np.array([0, 0, 0, 1, 1, 3], np.int32)
    folders = ["a", "a", "b", "b", "b", "c"]
    found = Clusters(np.zeros((4, 2), np.float32), np.arange(6), label, np.ones(6, np.float32))
    report = balance_report(found, folders, [6.0])
    assert report["sizes"] == [3, 2, 0, 1]
    p = np.array([3, 2, 1]) / 6
    assert report["entropy"] == pytest.approx(-(p * np.log(p)).sum() / np.log(4), abs=1e-6)
    assert report["nmi"] == pytest.approx(100 * normalized_mutual_info_score(folders, label))
    assert report["accuracy"] == pytest.approx(100 * 5 / 6)
    assert balance_report(found, [""] * 6, [])["nmi"] is None


def test_whitening_against_scikit_learn():
    vectors = blobs(200, 12)[0] * np.linspace(0.1, 3, 12, dtype=np.float32)
    ours, theirs = whiten(vectors, 5), PCA(5, whiten=True).fit_transform(vectors.astype(np.float64))
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), rtol=2e-2, atol=1e-3)  # The sign of a component is free.


@pytest.mark.parametrize(("count", "dim", "kept"), [(200, 3, 3), (6, 12, 5), (1, 4, 1)])
def test_no_more_components_than_there_are(count, dim, kept):
    assert whiten(blobs(count, dim)[0], 8).shape == (count, kept)


def test_directions_without_variance_are_not_amplified():
    vectors = np.repeat(blobs(200, 3)[0], 4, axis=1)
    assert np.abs(whiten(vectors, 12)[:, 3:]).max() < 0.1
    assert not whiten(np.ones((9, 4), np.float32), 2).any()


def write_inputs(folder: Path, vectors: np.ndarray) -> dict[str, Path]:
    with write_features(folder / "features.h5", len(vectors), vectors.shape[1], {}) as writer:
        for start in range(0, len(vectors), 7):
            part = vectors[start : start + 7]
            writer.append(part, np.arange(start, start + len(part)))
    rows = "".join(f"g/{i},train/g/{i}.png,train,10,10,g,\n" for i in range(len(vectors)))
    (folder / "images.csv").write_text("id,path,split,height,width,folder,mask\n" + rows)
    (folder / "summary.json").write_text(json.dumps({"root": "."}))
    return {"features": folder / "features.h5", "images": folder / "images.csv"}


def run(folder: Path, vectors: np.ndarray, classes: int, **settings: object) -> Clusters:
    out = folder / "clusters.h5"
    cfg = ClusterConfig(restarts=2, iterations=5, **settings)
    inputs = write_inputs(folder, vectors)
    cluster(cfg, **inputs, classes=classes, seed=0, out=out, balance=folder / "balance.json", threads=1)
    return read_clusters(out)


def test_stage_writes_what_it_found(tmp_path):
    vectors, _ = blobs(50)
    found = run(tmp_path, vectors, 4)
    report = json.loads((tmp_path / "balance.json").read_text())
    assert found.centroids.shape == (4, 6)
    assert sum(report["sizes"]) == 50
    assert report["provenance"]["settings"]["cluster"]["restarts"] == 2
    np.testing.assert_array_equal(found.row, np.arange(50))
    read, row = read_features(tmp_path / "features.h5")
    np.testing.assert_array_equal(read, vectors)
    np.testing.assert_array_equal(row, np.arange(50))


def test_single_gives_one_label(tmp_path):
    assert set(run(tmp_path, blobs(20)[0], 4, assign="single").label) == {0}


def test_fewer_images_than_clusters(tmp_path):
    with pytest.raises(UserError, match=r"5 training images cannot form classes = 8 clusters; lower classes"):
        run(tmp_path, blobs(5)[0], 8)
    assert not (tmp_path / "clusters.h5").exists()


def test_features_cut_short_or_not_finite_are_named(tmp_path):
    inputs = write_inputs(tmp_path, blobs(50)[0])
    path = inputs["features"]
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"features\.h5 is damaged or cut short.*run the stage extract again"):
        read_features(path)
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        file["features"][3, 2] = np.nan
    with pytest.raises(UserError, match="not finite"):
        read_features(path)


def test_an_interrupted_writer_leaves_nothing(tmp_path):
    def interrupted() -> None:
        with write_features(tmp_path / "f.h5", 10, 3, {}) as writer:
            writer.append(np.zeros((5, 3), np.float32), np.arange(5))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []
