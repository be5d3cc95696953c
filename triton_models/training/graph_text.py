"""The text tower's graph: BERT with mean pooling, written with ONNX Runtime's fused operators.

Word, position and type vectors are added outside (`serving/encode.py` reads them from the 4-bit table, which would be
384 MB as floats), so the graph starts at the first layer norm. Two precisions share this one description: `float32`
for parity with torch, `int8` for serving.

int8 is dynamic **per token**: each activation row is divided by its own greatest magnitude, so a text's vector does not
depend on its companions in the batch. Per-tensor scales, which ONNX Runtime's own dynamic quantisation uses, were
measured to move a vector by cosine .9955 with its companions, and cost more accuracy (.9964 against .9993 to float32)
for 1.2 times the speed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import numpy as np
from onnx import TensorProto

from triton_models.fill import FillPlan
from triton_models.parts import E5Model
from triton_models.training.graphs import MICROSOFT, GraphBuilder, value

Precision = Literal["float32", "int8"]

#: Smallest row magnitude: a row of zeros must not be divided by zero.
TINY: Final = 1e-9


def export_text_graph(model: E5Model, folder: Path, precision: Precision, *, name: str = "text") -> FillPlan:
    """Writes the graph and its plan into `folder`.

    Inputs: `embeddings` [B, T, H] float32, `lengths` [B] int32 (padding on the right), `weights` [B, 1, T] float32, the
    share of each token in the mean. Output: `embedding` [B, H] float32 of unit length.
    """
    shape, graph = model.shape, GraphBuilder(name)
    graph.constant("axis_last", [-1], np.int64)
    graph.constant("axis_pool", [1], np.int64)
    graph.constant("tiny", TINY, np.float32)
    graph.constant("step", 1 / 127, np.float32)
    graph.constant("zero", 128, np.uint8)
    linear = _Linear(graph, precision)
    x = graph.add(
        "LayerNormalization", ["embeddings", *_norm(graph, "emb.ln", shape.hidden)], "x", axis=-1, epsilon=shape.epsilon
    )
    for index in range(shape.layers):
        x = _layer(graph, linear, model, x, f"l{index}")
    graph.add("MatMul", ["weights", x], "pooled")
    graph.add("Squeeze", ["pooled", "axis_pool"], "mean")
    graph.add("LpNormalization", ["mean"], "embedding", axis=-1, p=2)
    inputs = [
        value("embeddings", TensorProto.FLOAT, ["B", "T", shape.hidden]),
        value("lengths", TensorProto.INT32, ["B"]),
        value("weights", TensorProto.FLOAT, ["B", 1, "T"]),
    ]
    return graph.save(folder, inputs, [value("embedding", TensorProto.FLOAT, ["B", shape.hidden])])


class _Linear:
    """x @ W without its bias, in one precision; the rows of an input are quantised once however often it is used."""

    def __init__(self, graph: GraphBuilder, precision: Precision) -> None:
        self._graph, self._precision = graph, precision
        self._rows: dict[str, tuple[str, str]] = {}

    def __call__(self, x: str, sources: list[str], output: str, shape: tuple[int, int]) -> str:
        """`output`; `shape` is [inputs, outputs]."""
        graph = self._graph
        if self._precision == "float32":
            return graph.add("MatMul", [x, graph.weight(f"{output}.w", "transposed", sources, shape)], output)
        quantised, magnitude = self._rows.get(x) or self._quantise(x)
        weight = graph.weight(f"{output}.w", "int8", sources, shape, "int8")
        scale = graph.weight(f"{output}.s", "int8_scale", sources, shape[1:])
        # A zero point of its own: on CPUs without VNNI, ONNX Runtime rewrites weight and zero point to uint8, by name.
        raw = [quantised, weight, "step", scale, "zero", graph.constant(f"{output}.z", 0, np.int8)]
        graph.add("MatMulIntegerToFloat", raw, f"{output}.raw", domain=MICROSOFT)
        return graph.add("Mul", [f"{output}.raw", magnitude], output)

    def _quantise(self, x: str) -> tuple[str, str]:
        graph = self._graph
        graph.add("Abs", [x], f"{x}.abs")
        graph.add("ReduceMax", [f"{x}.abs", "axis_last"], f"{x}.max", keepdims=1)
        graph.add("Max", [f"{x}.max", "tiny"], f"{x}.magnitude")
        graph.add("Div", [x, f"{x}.magnitude"], f"{x}.unit")
        graph.add("QuantizeLinear", [f"{x}.unit", "step", "zero"], f"{x}.u8")
        self._rows[x] = f"{x}.u8", f"{x}.magnitude"
        return self._rows[x]


def _layer(graph: GraphBuilder, linear: _Linear, model: E5Model, x: str, layer: str) -> str:
    """One post-norm transformer layer: x = LN(x + attention(x)); x = LN(x + ffn(x))."""
    hidden, ffn = model.shape.hidden, model.shape.ffn
    heads = [f"{layer}.q", f"{layer}.k", f"{layer}.v"]
    joined = linear(x, [f"{head}.w" for head in heads], f"{layer}.qkv", (hidden, 3 * hidden))
    graph.split(joined, [f"{layer}.Q", f"{layer}.K", f"{layer}.V"])
    bias = graph.weight(f"{layer}.qkv.b", "as_is", [f"{head}.b" for head in heads], (3 * hidden,))
    context = graph.add(
        "MultiHeadAttention",
        [f"{layer}.Q", f"{layer}.K", f"{layer}.V", bias, "lengths"],
        f"{layer}.context",
        domain=MICROSOFT,
        num_heads=model.shape.heads,
    )
    out = linear(context, [f"{layer}.ao.w"], f"{layer}.out", (hidden, hidden))
    x = _add_and_norm(graph, model, (out, x), (f"{layer}.aln", f"{layer}.ao.b"))
    inner = linear(x, [f"{layer}.fi.w"], f"{layer}.inner", (hidden, ffn))
    bias = graph.weight(f"{layer}.fi.b", "as_is", [f"{layer}.fi.b"], (ffn,))
    gelu = graph.add("BiasGelu", [inner, bias], f"{layer}.gelu", domain=MICROSOFT)
    out = linear(gelu, [f"{layer}.fo.w"], f"{layer}.outer", (ffn, hidden))
    return _add_and_norm(graph, model, (out, x), (f"{layer}.oln", f"{layer}.fo.b"))


def _add_and_norm(graph: GraphBuilder, model: E5Model, terms: tuple[str, str], names: tuple[str, str]) -> str:
    """LN(term + bias + skip)."""
    (term, skip), (norm, bias) = terms, names
    gamma, beta = _norm(graph, norm, model.shape.hidden)
    added = graph.weight(bias, "as_is", [bias], (model.shape.hidden,))
    inputs = [term, skip, gamma, beta, added]
    return graph.add("SkipLayerNormalization", inputs, f"{norm}.x", domain=MICROSOFT, epsilon=model.shape.epsilon)


def _norm(graph: GraphBuilder, name: str, size: int) -> tuple[str, str]:
    return (
        graph.weight(f"{name}.w", "as_is", [f"{name}.w"], (size,)),
        graph.weight(f"{name}.b", "as_is", [f"{name}.b"], (size,)),
    )
