"""Two GPUs train what one would, over NCCL; on processors this is tests/method/test_group.py, by the same functions."""

import pytest
import torch

from tests.gpu.test_training import BARS
from tests.method import gloo
from tests.method.test_group import differing

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    return gloo.start(tmp_path_factory.mktemp("two"), "cuda")


@pytest.mark.parametrize("name", gloo.NAMES)
def test_two_gpus_equal_one(name, two, tmp_path):
    one = gloo.state(gloo.train(name, tmp_path, device=torch.device("cuda")))
    assert differing(one, two[name], name, *BARS) == {}


def test_pieces_are_those_of_two_processors(two, tmp_path):
    wanted = gloo.start(tmp_path)["parts"]
    assert two["parts"].keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(two["parts"][name], value, rtol=1e-4, atol=1e-5, msg=name)
