"""Triton's side of the contract: the configuration file and the tensors are what `triton_models.contract` says."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from triton_models import contract
from triton_models.assemble import TEMPLATE
from triton_models.serving.items import Outputs
from triton_models.serving.tensors import named_outputs, read_items

_TENSOR = re.compile(r'\{ name: "(\w+)" data_type: (\w+) dims: \[ ([\d, ]+) \] \}')
_DTYPES = {"TYPE_FP32": np.float32, "TYPE_INT32": np.int32, "TYPE_UINT8": np.uint8, "TYPE_STRING": np.object_}


def _config() -> str:
    return (TEMPLATE / "config.pbtxt").read_text(encoding="utf-8")


def _tensors(part: str) -> dict[str, tuple[str, tuple[int, ...]]]:
    block = _config().split(f"{part} [", 1)[1].split("\n]", 1)[0]
    return {name: (kind, tuple(int(side) for side in dims.split(","))) for name, kind, dims in _TENSOR.findall(block)}


def _outputs(count: int) -> Outputs:
    labels, members = len(contract.LABELS), len(contract.MEMBERS)
    return Outputs(
        scores=np.zeros((count, len(contract.ROWS), labels), np.float32),
        severity=np.zeros((count, labels), np.int32),
        joint=np.zeros((count, len(contract.JOINT_NAMES)), np.float32),
        disagreement=np.zeros((count, labels), np.float32),
        members=np.zeros((count, members, labels), np.float32),
        member_status=np.zeros((count, members), np.uint8),
        text_embedding=np.zeros((count, contract.EMBEDDING_WIDTH), np.float32),
        image_embedding=np.zeros((count, contract.EMBEDDING_WIDTH), np.float32),
        ocr_text=(b"",) * count,
        release=b"test reference",
    )


def test_config_declares_the_contracts_inputs() -> None:
    """Names, types, dims and order of the inputs."""
    assert _tensors("input") == contract.INPUTS


def test_config_declares_the_contracts_outputs() -> None:
    """Names, types, dims and order of the outputs."""
    assert _tensors("output") == contract.OUTPUTS


def test_config_names_the_model_and_its_batch() -> None:
    """Name, backend, batch, CPU instances and dynamic batching."""
    config = _config()
    assert f'name: "{contract.MODEL_NAME}"' in config
    assert f"max_batch_size: {contract.MAX_BATCH}\n" in config
    assert 'backend: "python"' in config
    assert len(re.findall(r"count: \d+ kind: KIND_CPU", config)) == 1
    assert "dynamic_batching" in config


def test_named_outputs_have_the_contracts_shapes_and_types() -> None:
    """Every output of the contract, in its dtype and with its dims behind the batch axis."""
    named = named_outputs(_outputs(3))
    assert set(named) == set(contract.OUTPUTS)
    for name, (kind, dims) in contract.OUTPUTS.items():
        assert named[name].shape == (3, *dims)
        assert named[name].dtype == _DTYPES[kind]


def test_the_mask_decides_what_is_there() -> None:
    """A text or picture that the mask does not announce is left out, whatever its bytes."""

    def column(*values: Any) -> np.ndarray[Any, Any]:
        made = np.empty(len(values), dtype=np.object_)
        made[:] = values
        return made

    masks = np.array([0, contract.MASK_TEXT, contract.MASK_IMAGE | contract.MASK_OCR], dtype=np.uint8)
    items = read_items(column(b"a", b"\xffb", b"c"), column(b"x", b"y", b"z"), column(b"", b"", b"o"), masks)
    assert [item.text for item in items] == [None, "\ufffdb", None]
    assert [item.image for item in items] == [None, None, b"z"]
    assert [item.ocr_image for item in items] == [None, None, b"o"]
