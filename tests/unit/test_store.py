"""The packed store: what goes in comes out, and a file that is not whole is refused."""

import pickle
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luss_core.data.store import Store, write_store
from luss_core.errors import UserError


def arrays(shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (*shape, 3), np.uint8) for shape in shapes]


def save(path: Path, images, size=None, checksums=None):
    sizes = [image.size for image in images]
    with write_store(path, sum(sizes) if size is None else size, {"made": "here"}) as store:
        for i, image in enumerate(images):
            checksum = np.array([i if checksums is None else checksums[i]])
            store.append(image.tobytes(), np.array([image.shape[:2]]), checksum)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=8), st.integers(0, 50))
def test_images_come_back_unchanged(tmp_path_factory, shapes, spare):
    path = tmp_path_factory.mktemp("store") / "images.h5"
    images = arrays(shapes)
    save(path, images, sum(image.size for image in images) + spare)
    store = Store(path)
    assert len(store) == len(images)
    for row in reversed(range(len(images))):
        np.testing.assert_array_equal(store.read(row), images[row])


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_pixels_may_have_any_number_of_channels(tmp_path, channels):
    images = [image[..., :channels] for image in arrays([(4, 5), (1, 1), (3, 7)])]
    with write_store(tmp_path / "x.h5", sum(image.size for image in images), {}, channels) as store:
        for image in images:
            store.append(image.tobytes(), np.array([image.shape[:2]]), np.array([0]))
    store = pickle.loads(pickle.dumps(Store(tmp_path / "x.h5")))
    assert store.shapes.tolist() == [[4, 5], [1, 1], [3, 7]]
    for row, image in enumerate(images):
        np.testing.assert_array_equal(store.read(row), image)


def test_a_file_without_the_number_of_channels_is_rgb(tmp_path):
    images = arrays([(4, 5), (3, 3)])
    save(tmp_path / "images.h5", images)
    with h5py.File(tmp_path / "images.h5", "r+") as file:
        del file.attrs["channels"]
    np.testing.assert_array_equal(Store(tmp_path / "images.h5").read(1), images[1])


def test_reads_are_views_that_cannot_be_written(tmp_path):
    save(tmp_path / "images.h5", arrays([(4, 5)]))
    image = Store(tmp_path / "images.h5").read(0)
    assert not image.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        image[0, 0, 0] = 1


def test_the_file_is_plain_hdf5(tmp_path):
    images = arrays([(2, 3), (4, 1)])
    save(tmp_path / "images.h5", images)
    with h5py.File(tmp_path / "images.h5") as file:
        assert file["pixels"].chunks is None
        np.testing.assert_array_equal(file["pixels"][:], np.concatenate([image.ravel() for image in images]))
        assert (file["offset"][:].tolist(), file["height"][:].tolist(), file["width"][:].tolist()) == (
            [0, 18],
            [2, 4],
            [3, 1],
        )
        assert file.attrs["provenance"] == '{"made": "here"}'


def test_an_opened_store_can_be_sent_to_another_process(tmp_path):
    images = arrays([(4, 5), (3, 3)])
    save(tmp_path / "images.h5", images)
    store = Store(tmp_path / "images.h5")
    store.read(0)
    sent = pickle.dumps(store)
    assert len(sent) < 500
    np.testing.assert_array_equal(pickle.loads(sent).read(1), images[1])


def test_the_fingerprint_follows_shapes_and_checksums(tmp_path):
    images = arrays([(4, 5), (3, 3)])
    made = []
    for i, (group, checksums) in enumerate(
        [(images, [1, 2]), (images, [1, 2]), (images, [1, 3]), ([image[:, ::2] for image in images], [1, 2])]
    ):
        save(tmp_path / f"{i}.h5", [np.ascontiguousarray(image) for image in group], 200, checksums)
        made.append(Store(tmp_path / f"{i}.h5").fingerprint)
    assert made[0] == made[1]
    assert len(set(made)) == 3


@pytest.mark.parametrize("fraction", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_a_file_cut_short_is_an_error(tmp_path, fraction):
    path = tmp_path / "images.h5"
    save(path, arrays([(40, 50), (30, 30)]))
    path.write_bytes(path.read_bytes()[: int(fraction * path.stat().st_size)])
    with pytest.raises(UserError, match=r"images.h5 is (damaged or )?cut short.*prepare again"):
        Store(path).read(0)


def test_a_missing_file_names_the_stage(tmp_path):
    with pytest.raises(UserError, match="run the stage prepare"):
        len(Store(tmp_path / "images.h5"))
    with pytest.raises(UserError, match="run the stage prior"):
        len(pickle.loads(pickle.dumps(Store(tmp_path / "prior.h5", "prior"))))


def test_a_writer_that_fails_leaves_nothing(tmp_path):
    def fail():
        with write_store(tmp_path / "images.h5", 100, {}) as store:
            store.append(b"123", np.array([[1, 1]]), np.array([0]))
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        fail()
    assert list(tmp_path.iterdir()) == []


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from luss_core.data.store import write_store
from luss_core.errors import UserError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    with write_store(Path(sys.argv[1]), int(sys.argv[2]), {}) as store:
        for i in range(100):
            store.append(bytes(1200), np.array([[20, 20]]), np.array([i]))
except UserError as error:
    print(error)
"""


@pytest.mark.parametrize("size", [120_000, 2_000])
def test_a_full_disk_is_a_user_error(tmp_path, size):
    """A limit on the file size stands in for the disk: while pixels are allocated, and while they are written."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "images.h5"), str(size)], capture_output=True, text=True
    )
    assert done.stdout.startswith("cannot write"), done.stderr
    assert list(tmp_path.iterdir()) == []
