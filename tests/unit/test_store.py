"""The packed store: what goes in comes out, and a file that is not whole is refused."""

import pickle

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stores import altered, write_store

from luss_core.data.store import Store
from luss_core.errors import UserError


def arrays(shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (*shape, 3), np.uint8) for shape in shapes]


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=8), st.integers(0, 50))
def test_images_come_back_unchanged(tmp_path_factory, shapes, spare):
    path = tmp_path_factory.mktemp("store") / "images.h5"
    images = arrays(shapes)
    write_store(path, images, {}, spare=spare)
    store = Store(path)
    assert len(store) == len(images)
    for row in reversed(range(len(images))):
        np.testing.assert_array_equal(store.read(row), images[row])


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_pixels_may_have_any_number_of_channels(tmp_path, channels):
    images = [image[..., :channels] for image in arrays([(4, 5), (1, 1), (3, 7)])]
    write_store(tmp_path / "x.h5", images, {})
    store = pickle.loads(pickle.dumps(Store(tmp_path / "x.h5")))
    assert store.shapes.tolist() == [[4, 5], [1, 1], [3, 7]]
    for row, image in enumerate(images):
        np.testing.assert_array_equal(store.read(row), image)


def test_a_file_without_the_number_of_channels_is_rgb(tmp_path):
    images = arrays([(4, 5), (3, 3)])
    write_store(tmp_path / "images.h5", images, {"made": "here"})
    with altered(tmp_path / "images.h5") as file:
        del file.attrs["channels"]
    np.testing.assert_array_equal(Store(tmp_path / "images.h5").read(1), images[1])


def test_reads_are_views_that_cannot_be_written(tmp_path):
    write_store(tmp_path / "images.h5", arrays([(4, 5)]), {"made": "here"})
    image = Store(tmp_path / "images.h5").read(0)
    assert not image.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        image[0, 0, 0] = 1


def test_the_file_is_plain_hdf5(tmp_path):
    images = arrays([(2, 3), (4, 1)])
    write_store(tmp_path / "images.h5", images, {"made": "here"})
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
    write_store(tmp_path / "images.h5", images, {"made": "here"})
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
        write_store(tmp_path / f"{i}.h5", group, {}, checksums)
        made.append(Store(tmp_path / f"{i}.h5").fingerprint)
    assert made[0] == made[1]
    assert len(set(made)) == 3


@pytest.mark.parametrize("fraction", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_a_file_cut_short_is_an_error(tmp_path, fraction):
    path = tmp_path / "images.h5"
    write_store(path, arrays([(40, 50), (30, 30)]), {"made": "here"})
    path.write_bytes(path.read_bytes()[: int(fraction * path.stat().st_size)])
    with pytest.raises(UserError, match=r"images.h5 is (damaged or )?cut short.*prepare again"):
        Store(path).read(0)


def test_a_missing_file_names_the_stage(tmp_path):
    with pytest.raises(UserError, match="run the stage prepare"):
        len(Store(tmp_path / "images.h5"))
    with pytest.raises(UserError, match="run the stage prior"):
        len(pickle.loads(pickle.dumps(Store(tmp_path / "prior.h5", "prior"))))
