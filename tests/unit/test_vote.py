"""Objects vote on their category: against a loop over pieces and pixels, and in the stages that use it."""

import numpy as np
import pytest
import torch
from skimage.measure import label as pieces_of

from luss_core.methods.segmenter import Segmented
from luss_core.methods.vote import voted
from luss_core.methods.whole_images import Cut, labels_and_scores, to_levels


def slow(label: np.ndarray, foreground: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """The definition, written out."""
    result, pieces = label.copy(), pieces_of(foreground, connectivity=2)
    (height, width), (h, w) = label.shape, maps.shape[1:]
    for piece in range(1, pieces.max() + 1):
        evidence = np.zeros(len(maps))
        for y, x in np.argwhere(pieces == piece):
            logits = maps[:, y * h // height, x * w // width]
            evidence += np.exp(logits) / np.exp(logits).sum()
        result[pieces == piece] = evidence.argmax() + 1
    return result


@pytest.mark.parametrize("shape", [(12, 12), (13, 7), (4, 30)])
def test_the_vote_is_the_sum_of_probabilities_over_each_piece(shape):
    rng = np.random.default_rng(shape[0])
    maps = rng.normal(size=(5, 4, 6)).astype(np.float32)
    foreground = rng.random(shape) < 0.4
    label = rng.integers(1, 6, shape).astype(np.int32)
    found = voted(label, foreground, torch.from_numpy(maps)[None])
    assert found.dtype == np.int32
    assert np.array_equal(found, slow(label, foreground, maps))
    assert not np.array_equal(found, label)


def test_sure_pixels_outvote_more_that_hesitate():
    maps = torch.zeros(1, 2, 1, 4)
    maps[0, 0, 0, 0] = 9.0  # sure of the first
    maps[0, 1, 0, 1:] = 0.1  # three that lean to the second
    label = np.array([[1, 2, 2, 2]], np.int32)
    assert voted(label, np.ones((1, 4), bool), maps).tolist() == [[1, 1, 1, 1]]
    assert voted(label, np.array([[True, False, True, True]]), maps).tolist() == [[1, 2, 2, 2]]


def test_corners_connect_and_an_image_without_foreground_stays():
    maps = torch.zeros(1, 2, 2, 2)
    maps[0, 1, 0, 0] = 5.0
    label = np.array([[2, 1], [1, 1]], np.int32)
    assert voted(label, np.array([[True, False], [False, True]]), maps).tolist() == [[2, 1], [1, 2]]
    assert voted(label, np.zeros((2, 2), bool), maps) is label


def test_labels_vote_where_the_score_reaches_the_threshold():
    generator = torch.Generator().manual_seed(1)
    found = Segmented(torch.randn(1, 4, 5, 7, generator=generator), 3 * torch.randn(1, 1, 5, 7, generator=generator))
    plain, score = labels_and_scores(found, 37, 41)
    label, same = labels_and_scores(found, 37, 41, Cut(0.9, 70))
    foreground = to_levels(score.numpy() / 0.9) >= 70
    assert torch.equal(score, same)
    assert np.array_equal(label.numpy()[~foreground], plain.numpy()[~foreground])
    pieces = pieces_of(foreground, connectivity=2)
    assert pieces.max() > 1
    for piece in range(1, pieces.max() + 1):
        assert len(np.unique(label.numpy()[pieces == piece])) == 1
    assert not torch.equal(label, plain)


def test_there_is_nothing_to_vote_on_where_an_image_has_one_category():
    found = Segmented(torch.randn(1, 4, 1, 1), torch.randn(1, 1, 5, 7))
    plain, score = labels_and_scores(found, 37, 41)
    label, same = labels_and_scores(found, 37, 41, Cut(float(score.max()), 50))
    assert torch.equal(label, plain)
    assert torch.equal(score, same)
    everywhere = voted(plain.contiguous().numpy(), np.ones((37, 41), bool), found.maps)
    assert np.array_equal(everywhere, plain.numpy())


def test_large_images_vote_at_the_side_at_which_they_are_labelled():
    maps = torch.randn(1, 3, 5, 8, generator=torch.Generator().manual_seed(0))
    label, score = labels_and_scores(Segmented(maps, None), 1000, 1600, Cut(float(maps.max()), 20))
    pieces = pieces_of(to_levels(score.numpy() / float(maps.max())) >= 20, connectivity=2)
    assert all(len(np.unique(label.numpy()[pieces == piece])) == 1 for piece in range(1, pieces.max() + 1))
