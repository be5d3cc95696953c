"""Reading the two weight formats: exact values, and nothing but tensors."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.towers_factory import FFN, PIECES, WIDTH, write_e5
from triton_models.parts.checkpoint import MAGIC, PROTOCOL, CheckpointFormatError, read_checkpoint
from triton_models.parts.e5 import BLOCK_DTYPE, E5FormatError, dequantise, read_e5
from triton_models.parts.lite0 import read_lite0, timm_name


def test_a_block_is_sixteen_low_then_sixteen_high_nibbles() -> None:
    """A Q4_0 block: low nibbles are weights 0-15, high ones 16-31, and a weight is (q - 8) * scale."""
    block = np.zeros(1, dtype=BLOCK_DTYPE)
    block["scale"] = 0.5
    block["nibbles"][0] = np.arange(16) | (15 - np.arange(16)) << 4
    expected = np.concatenate([np.arange(16) - 8, 15 - np.arange(16) - 8]) * 0.5
    assert np.array_equal(dequantise(block), expected.astype(np.float32))


def test_e5_gives_shape_vocabulary_and_tensors(tmp_path: Path) -> None:
    """Sizes, pieces and matrices come out as they were written."""
    model = read_e5(write_e5(tmp_path / "tiny.bin", layers=2))
    assert (model.shape.hidden, model.shape.layers, model.shape.ffn) == (WIDTH, 2, FFN)
    assert list(model.vocabulary.pieces) == PIECES
    assert (model.vocabulary.bos, model.vocabulary.pad, model.vocabulary.eos, model.vocabulary.unk) == (0, 1, 2, 3)
    assert model.array("l1.fi.w").shape == (FFN, WIDTH)
    assert model.array("l1.fo.w").shape == (WIDTH, FFN)
    assert model.array("l0.aln.w").shape == (WIDTH,)
    assert model.blocks("emb.word").shape == ((len(PIECES) + 2) * WIDTH // 32,)


@pytest.mark.parametrize("keep", [3, 40, 200, -1])
def test_a_cut_e5_file_is_an_error_of_its_own(tmp_path: Path, keep: int) -> None:
    """Wherever the file ends too early, the reader says that it is damaged."""
    path = write_e5(tmp_path / "tiny.bin")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(E5FormatError):
        read_e5(path)


def test_another_file_is_no_e5(tmp_path: Path) -> None:
    """A file without the signature is refused."""
    path = tmp_path / "other.bin"
    path.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(E5FormatError, match="signature"):
        read_e5(path)


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    """Asking for what is not there names it; asking for blocks of floats says so."""
    model = read_e5(write_e5(tmp_path / "tiny.bin"))
    with pytest.raises(E5FormatError, match=r"l7\.q\.w"):
        model.tensor("l7.q.w")
    with pytest.raises(E5FormatError, match="4-bit"):
        model.blocks("emb.pos")


def _old_checkpoint(path: Path, state: dict[str, torch.Tensor]) -> Path:
    torch.save(state, path, _use_new_zipfile_serialization=False)
    return path


def test_a_checkpoint_of_the_old_format_is_read_without_torch(tmp_path: Path) -> None:
    """Floats, counters and transposed views give the values that torch saved, in its order."""
    state = {
        "b.weight": torch.randn(3, 4, 2),
        "a.count": torch.tensor(7),
        "a.turned": torch.randn(5, 3).T,
        "a.part": torch.arange(12.0)[4:8],
    }
    found = read_checkpoint(_old_checkpoint(tmp_path / "old.pth", state))
    assert list(found) == list(state)
    for name, values in state.items():
        assert np.array_equal(found[name], values.numpy())


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    """A pickle that names anything but tensors is refused before it does anything."""
    marker = tmp_path / "ran"

    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(marker),)

    out = io.BytesIO()
    values: list[object] = [MAGIC, PROTOCOL, {}, {"w": Hostile()}, []]
    for value in values:
        pickle.dump(value, out, protocol=2)
    path = tmp_path / "hostile.pth"
    path.write_bytes(out.getvalue())
    with pytest.raises(CheckpointFormatError, match="refused"):
        read_checkpoint(path)
    assert not marker.exists()


@pytest.mark.parametrize("keep", [0, 10, 300, -40])
def test_a_cut_checkpoint_is_an_error_of_its_own(tmp_path: Path, keep: int) -> None:
    """Wherever the file ends too early, the reader says that it is no checkpoint."""
    path = _old_checkpoint(tmp_path / "old.pth", {"w": torch.randn(100)})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointFormatError):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("theirs", "timms"),
    [
        ("_conv_stem.weight", "conv_stem.weight"),
        ("_bn1.running_var", "bn2.running_var"),
        ("_fc.bias", "classifier.bias"),
        ("_blocks.0._project_conv.weight", "blocks.0.0.conv_pw.weight"),
        ("_blocks.2._bn0.bias", "blocks.1.1.bn1.bias"),
        ("_blocks.15._project_conv.weight", "blocks.6.0.conv_pwl.weight"),
    ],
)
def test_names_become_timms(theirs: str, timms: str) -> None:
    """The checkpoint's names become timm's, the first block by its own table."""
    assert timm_name(theirs) == timms


def test_lite0_is_read_under_timms_names(tmp_path: Path) -> None:
    """Reading renames and keeps the values."""
    stem = torch.randn(32, 3, 3, 3)
    found = read_lite0(_old_checkpoint(tmp_path / "old.pth", {"_conv_stem.weight": stem}))
    assert np.array_equal(found["conv_stem.weight"], stem.numpy())
