"""Files of weights that are damaged are refused, wherever a bit was flipped."""

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from luss_core.digests import content
from luss_core.errors import UserError
from luss_core.models.foreign.read import read
from luss_core.models.tensor_file import read_about, read_tensors
from luss_core.models.weights import load_network, save_weights

ABOUT = {"encoder": {"a": [1, "ü"]}, "provenance": {"commit": "1"}}


@pytest.fixture
def file(tmp_path):
    torch.manual_seed(0)
    save_weights(tmp_path / "encoder.safetensors", nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4)), ABOUT)
    return tmp_path / "encoder.safetensors"


def test_what_was_written_is_read(file):
    tensors, about = read_tensors(file, "pt", "pretrain")
    assert about == ABOUT == read_about(file, "pretrain") == read(file).about
    assert tensors["1.running_var"].tolist() == [1, 1, 1, 1]
    with safe_open(file, "pt") as plain:  # of any other program
        assert len(json.loads(plain.metadata()["luss"])["sha256"]) == 64


def test_every_flipped_bit_is_found(file):
    whole, random = file.read_bytes(), np.random.default_rng(0)
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << int(random.integers(8))]) + whole[place + 1 :])
        with pytest.raises(
            UserError, match=r"not a whole weight file of pretrain .*; delete it and run pretrain again"
        ):
            read_tensors(file, "np", "pretrain")


def test_a_flipped_bit_in_weights_to_begin_with_is_found(file):
    whole = bytearray(file.read_bytes())
    whole[-9] ^= 1
    file.write_bytes(whole)
    with pytest.raises(UserError, match=r"is damaged or cut short \(its content is not what its checksum says\)"):
        read(file)


def test_the_digest_of_weights_leaves_out_how_they_were_made(file, tmp_path):
    tensors = {name: tensor.clone() for name, tensor in read_tensors(file, "pt", "pretrain")[0].items()}
    save_file(tensors, tmp_path / "older.safetensors", {"luss": json.dumps({**ABOUT, "provenance": {"commit": "2"}})})
    assert content(file) == content(tmp_path / "older.safetensors")
    assert read_about(tmp_path / "older.safetensors", "pretrain")["encoder"] == ABOUT["encoder"]  # without checksum


def test_nothing_but_zeros(file):
    file.write_bytes(bytes(len(file.read_bytes())))
    with pytest.raises(UserError, match="is not a whole weight file of pretrain"):
        load_network(file, "encoder", "pretrain", lambda _: nn.Linear(1, 1))
    with pytest.raises(
        UserError, match=r"weights .*encoder\.safetensors: holds nothing but zeros: it was never .*; give a"
    ):
        read(file)
