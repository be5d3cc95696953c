"""Building a graph whose weights are named, not held: the ONNX file stays small, a FillPlan says what goes in.

Shared by the two towers' builders. Needs the `onnx` package (train extra); serving never imports it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from triton_models.fill import ALIGN_BYTES, FillPlan, Weight

MICROSOFT: Final = "com.microsoft"
"""ONNX Runtime's own operators; its CPU build has always had the ones used here."""

OPSET: Final = 18
IR_VERSION: Final = 9
_TYPES: Final = {"float32": TensorProto.FLOAT, "int8": TensorProto.INT8}


@dataclass(slots=True)
class GraphBuilder:
    """Collects nodes, small constants and named weights of one graph."""

    name: str  # files become <name>.onnx, <name>.plan.json and, when filled, <name>.bin
    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)
    weights: list[Weight] = field(default_factory=list)
    end: int = 0

    def add(self, operator: str, inputs: list[str], output: str, *, domain: str = "", **attributes: Any) -> str:
        """One node with one output; returns the output's name."""
        self.nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **attributes))
        return output

    def split(self, value: str, outputs: list[str]) -> None:
        """Cuts the last axis into equal parts."""
        self.nodes.append(helper.make_node("Split", [value], outputs, axis=-1, num_outputs=len(outputs)))

    def constant(self, name: str, values: npt.ArrayLike, dtype: type[np.generic]) -> str:
        """A small array that stays inside the graph file."""
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
        return name

    def weight(self, name: str, step: str, sources: list[str], shape: tuple[int, ...], dtype: str = "float32") -> str:
        """An array that the plan fills in."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        self.weights.append(Weight(name, step, tuple(sources), shape, dtype, self.end, size))
        self.end = -(-(self.end + size) // ALIGN_BYTES) * ALIGN_BYTES
        return name

    def save(self, folder: Path, inputs: list[ValueInfoProto], outputs: list[ValueInfoProto]) -> FillPlan:
        """Writes `<name>.onnx` and `<name>.plan.json` into `folder`."""
        plan = FillPlan(f"{self.name}.onnx", f"{self.name}.bin", tuple(self.weights))
        outside = [_external(weight, plan.data) for weight in self.weights]
        graph = helper.make_graph(self.nodes, self.name, inputs, outputs, [*self.constants, *outside])
        model: ModelProto = helper.make_model(
            graph,
            producer_name="weir",
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)],
        )
        (folder / plan.graph).write_bytes(model.SerializeToString(deterministic=True))
        plan.save(folder / f"{self.name}.plan.json")
        return plan


def value(name: str, dtype: int, shape: list[int | str]) -> ValueInfoProto:
    """The declaration of an input or output; a word in the shape is a free dimension."""
    return helper.make_tensor_value_info(name, dtype, shape)


def _external(weight: Weight, data: str) -> TensorProto:
    tensor = TensorProto(name=weight.name, data_type=_TYPES[weight.dtype], dims=weight.shape)
    tensor.data_location = TensorProto.EXTERNAL
    for key, text in (("location", data), ("offset", str(weight.offset)), ("length", str(weight.size_bytes))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, text
    return tensor
