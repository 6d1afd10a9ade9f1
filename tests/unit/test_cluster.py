"""k-means, the balance report, and the HDF5 files around them."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import normalized_mutual_info_score
from stores import altered

from luss_core.config import ClusterConfig
from luss_core.data import features
from luss_core.data.features import Change, Clusters, Features, read_clusters, write_features
from luss_core.errors import UserError
from luss_core.kmeans import assign, fit_centroids, fit_components, improve, normalized
from luss_core.stages.cluster import balance_report, cluster, emptiness, sample_of


def blobs(count: int = 300, dim: int = 6, groups: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    label = rng.integers(0, groups, count)
    return (rng.normal(size=(groups, dim))[label] * 4 + rng.normal(size=(count, dim))).astype(np.float32), label


def test_inertia_is_as_low_as_scikit_learn():
    vectors, _ = blobs()
    centroids, inertias = fit_centroids(vectors, 5, 20, 10, seed=0)
    theirs = KMeans(5, n_init=10, random_state=0).fit(vectors).inertia_
    label, distance = assign(lambda: [vectors], centroids)
    assert distance.sum() == pytest.approx(min(inertias), rel=1e-5)
    assert min(inertias) <= theirs * 1.001
    slow = ((vectors[:, None] - centroids[None]) ** 2).sum(axis=2)
    np.testing.assert_array_equal(label, slow.argmin(axis=1))
    np.testing.assert_allclose(distance, slow.min(axis=1), rtol=1e-3, atol=1e-3)


def test_no_gpu_is_touched(monkeypatch):
    """The job claims none."""

    def refused(*_: object) -> None:
        raise AssertionError("faiss was asked for GPUs")

    for name in ("get_num_gpus", "index_cpu_to_all_gpus", "index_cpu_to_gpu", "StandardGpuResources"):
        monkeypatch.setattr(f"faiss.{name}", refused, raising=False)
    vectors, _ = blobs()
    centroids, _ = fit_centroids(vectors, 5, 3, 2, seed=0)
    assert len(assign(lambda: [vectors], improve(lambda: [vectors], centroids)[0])[0]) == len(vectors)


def test_same_seed_same_clusters():
    vectors, _ = blobs()
    one, two = (fit_centroids(vectors, 7, 10, 3, seed=4) for _ in range(2))
    np.testing.assert_array_equal(one[0], two[0])
    assert fit_centroids(vectors, 7, 10, 3, seed=5)[1] != one[1]


def test_balance_report_against_scikit_learn():
    label = np.array([0, 0, 0, 1, 1, 3], np.int32)
    folders = ["a", "a", "b", "b", "b", "c"]
    change = Change(True, np.empty((0, 2), np.float32), np.empty(0, np.float32), False)
    found = Clusters(np.zeros((4, 2), np.float32), np.arange(6), label, np.ones(6, np.float32), change)
    report = balance_report(found, folders, [6.0])
    assert report["sizes"] == [3, 2, 0, 1]
    p = np.array([3, 2, 1]) / 6
    assert report["entropy"] == pytest.approx(-(p * np.log(p)).sum() / np.log(4), abs=1e-6)
    assert report["nmi"] == pytest.approx(100 * normalized_mutual_info_score(folders, label))
    assert report["accuracy"] == pytest.approx(100 * 5 / 6)
    assert balance_report(found, [""] * 6, [])["nmi"] is None


def whiten(vectors: np.ndarray, components: int) -> np.ndarray:
    return fit_components(vectors, components, True)(vectors)


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


def in_blocks(vectors: np.ndarray, size: int):
    return lambda: (vectors[start : start + size].copy() for start in range(0, len(vectors), size))


def test_a_pass_is_an_iteration_of_lloyd_over_all_blocks():
    vectors, _ = blobs(500)
    start = vectors[:5]
    one, first = improve(in_blocks(vectors, 37), start)
    _, second = improve(in_blocks(vectors, 37), one)
    theirs = KMeans(5, init=start, n_init=1, max_iter=1, algorithm="lloyd").fit(vectors)
    slow = ((vectors[:, None].astype(np.float64) - start) ** 2).sum(axis=2)
    assert first == pytest.approx(slow.min(axis=1).sum(), rel=1e-5)
    means = [vectors[slow.argmin(axis=1) == k].mean(axis=0) for k in range(5)]
    np.testing.assert_allclose(one, means, rtol=1e-5, atol=1e-5)
    assert second == pytest.approx(theirs.inertia_, rel=1e-4)


def test_a_cluster_without_vectors_keeps_its_centroid():
    vectors, _ = blobs(50, 3)
    start = np.concatenate([vectors[:2], np.full((1, 3), 1e6, np.float32)])
    after, _ = improve(in_blocks(vectors, 8), start)
    np.testing.assert_array_equal(after[2], start[2])


def test_sample_and_passes_come_near_all_vectors(tmp_path):
    vectors, _ = blobs(3000, 8, groups=12)
    whole = run(tmp_path, vectors, 12, sample=0)
    part = run(tmp_path, vectors, 12, sample=20)
    assert part.distance.sum() <= whole.distance.sum() * 1.05
    assert len(part.label) == 3000
    expected = assign(lambda: [normalized(vectors.copy())], part.centroids)
    np.testing.assert_array_equal(part.label, expected[0])
    again = run(tmp_path, vectors, 12, sample=20)
    np.testing.assert_array_equal(again.centroids, part.centroids)


def test_blocks_and_memory_give_the_same_labels_with_whitening(tmp_path, monkeypatch):
    vectors, _ = blobs(900, 8)
    monkeypatch.setattr(features, "BLOCK_BYTES", 4 * 8 * 50)
    found = run(tmp_path, vectors, 5, sample=100, components=4)
    assert len(found.label) == 900
    assert found.centroids.shape == (5, 4)


def test_a_sample_is_random_and_ascending():
    assert sample_of(10, 0, 0).tolist() == sample_of(10, 10, 0).tolist() == list(range(10))
    chosen = sample_of(1000, 100, 3)
    assert len(set(chosen)) == 100
    assert (np.diff(chosen) > 0).all()
    assert sample_of(1000, 100, 4).tolist() != chosen.tolist()


def test_chosen_vectors_are_read_across_blocks(tmp_path, monkeypatch):
    vectors, _ = blobs(200)
    write_inputs(tmp_path, vectors)
    monkeypatch.setattr(features, "BLOCK_BYTES", 4 * 6 * 13)
    chosen = np.array([0, 12, 13, 14, 77, 198, 199])
    np.testing.assert_array_equal(Features(tmp_path / "features.h5").take(chosen), vectors[chosen])


def write_inputs(folder: Path, vectors: np.ndarray, folders: Sequence[str] = ()) -> dict[str, Path]:
    with write_features(folder / "features.h5", len(vectors), vectors.shape[1], {}) as writer:
        for start in range(0, len(vectors), 7):
            part = vectors[start : start + 7]
            writer.append(part, np.arange(start, start + len(part)))
    rows = "".join(
        f"{g}/{i},train/{g}/{i}.png,train,10,10,{g},\n" for i, g in enumerate(folders or ["g"] * len(vectors))
    )
    (folder / "images.csv").write_text("id,path,split,height,width,folder,mask\n" + rows)
    (folder / "summary.json").write_text(json.dumps({"root": "."}))
    return {"features": folder / "features.h5", "images": folder / "images.csv"}


def run(folder: Path, vectors: np.ndarray, classes: int, folders: Sequence[str] = (), **settings: object) -> Clusters:
    out = folder / "clusters.h5"
    cfg = ClusterConfig(restarts=2, iterations=5, **settings)
    inputs = write_inputs(folder, vectors, folders)
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
    read = Features(tmp_path / "features.h5")
    np.testing.assert_array_equal(np.concatenate(list(read.blocks())), vectors)
    np.testing.assert_array_equal(read.row, np.arange(50))


def test_single_gives_one_label(tmp_path):
    assert set(run(tmp_path, blobs(20)[0], 4, assign="single").label) == {0}


def test_folders_are_labels(tmp_path, monkeypatch):
    """Means and distances by definition, over several blocks; what was used is said in the balance report."""
    monkeypatch.setattr(features, "BLOCK_BYTES", 16 * 6 * 4)
    vectors, _ = blobs(50)
    names = ["b", "a", "c"] * 16 + ["a", "a"]
    found = run(tmp_path, vectors, 3, names, assign="folders", normalize=False)
    label = np.array(["abc".index(name) for name in names])
    np.testing.assert_array_equal(found.label, label)
    means = np.stack([vectors[label == k].mean(axis=0) for k in range(3)])
    np.testing.assert_allclose(found.centroids, means, rtol=1e-5)
    np.testing.assert_allclose(found.distance, ((vectors - means[label]) ** 2).sum(axis=1), rtol=1e-4)
    report = json.loads((tmp_path / "balance.json").read_text())
    assert (report["supervised"], report["nmi"], report["accuracy"]) == (True, pytest.approx(100), pytest.approx(100))
    assert not json.loads((tmp_path / "balance.json").read_text())["restarts"]


def test_other_number_of_folders(tmp_path):
    with pytest.raises(UserError, match=r"takes the 2 folders .* but classes = 3; set classes to 2"):
        run(tmp_path, blobs(6)[0], 3, ["a", "b"] * 3, assign="folders")


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
        list(Features(path).blocks())
    path.write_bytes(whole)
    with altered(path) as file:
        file["features"][3, 2] = np.nan
    with pytest.raises(UserError, match="not finite"):
        list(Features(path).blocks())


def test_an_interrupted_writer_leaves_nothing(tmp_path):
    def interrupted() -> None:
        with write_features(tmp_path / "f.h5", 10, 3, {}) as writer:
            writer.append(np.zeros((5, 3), np.float32), np.arange(5))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def balance(folder: Path) -> dict[str, object]:
    return json.loads((folder / "balance.json").read_text())


def test_empty_categories_are_said_with_the_number_of_different_images(tmp_path, caplog):
    three = np.repeat(np.eye(3, 6, dtype=np.float32), 20, axis=0)
    run(tmp_path, three, 8)
    found = balance(tmp_path)
    assert (found["empty"], found["distinct"]) == (5, 3)
    assert found["warning"] == (
        "5 of 8 categories are empty: the 60 training images look like 3 different ones to the encoder; set classes to"
        " 3 or fewer, or give photographs that differ more"
    )
    assert str(found["warning"]) in caplog.text


def test_copies_of_one_image(tmp_path, caplog):
    caplog.set_level("INFO")
    run(tmp_path, np.ones((60, 6), np.float32), 4)
    found = balance(tmp_path)
    assert (sorted(found["sizes"]), found["empty"], found["distinct"]) == ([0, 0, 0, 60], 3, 1)
    assert str(found["entropy"]) == "0.0"
    assert "3 of 4 categories are empty: all 60 training images look the same to the encoder" in str(found["warning"])
    assert "NMI" not in caplog.text
    assert "-0.0" not in caplog.text


def test_nothing_is_said_where_no_category_is_empty_or_all_but_one_are_meant_to_be(tmp_path):
    run(tmp_path, blobs(50)[0], 4)
    assert (balance(tmp_path)["empty"], balance(tmp_path)["warning"]) == (0, None)
    run(tmp_path, blobs(50)[0], 4, assign="single")
    assert (balance(tmp_path)["empty"], balance(tmp_path)["warning"]) == (3, None)
    assert emptiness([5, 0, 4, 3], 12) == (
        "1 of 4 categories is empty: no image is nearest their centroids; set classes to 3 or fewer"
    )


def test_one_category(tmp_path):
    found = run(tmp_path, blobs(30)[0], 1)
    assert set(found.label) == {0}
    assert (balance(tmp_path)["entropy"], balance(tmp_path)["sizes"]) == (None, [30])
