"""The image tower's graph: EfficientNet-Lite0 from uint8 pixels to 1,280 pooled features, batch norms folded.

The weights carry timm's names (`tf_efficientnet_lite0`); the checkpoint of the part is renamed by `parts/lite0.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from onnx import TensorProto, ValueInfoProto

from triton_models.contract import IMAGE_SIZE_PX
from triton_models.fill import FillPlan
from triton_models.training.graphs import GraphBuilder, value

FEATURES: Final = 1280


class Stage(NamedTuple):
    """One row of the architecture's table."""

    blocks: int
    kernel: int
    stride: int  # of the first block
    expand: int
    channels: int


#: EfficientNet-Lite0: B0's table with a fixed stem and head and without squeeze-and-excitation.
STAGES: Final = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
STEM_CHANNELS: Final = 32


class Conv(NamedTuple):
    """One convolution with the batch norm behind it."""

    weight: str  # timm's name without `.weight`
    norm: str
    shape: tuple[int, int, int, int]  # out, in per group, height, width
    stride: int = 1
    groups: int = 1
    relu6: bool = True


def export_image_graph(folder: Path, *, name: str = "image") -> FillPlan:
    """Writes the graph and its plan into `folder`.

    Input: `pixels` [B, 224, 224, 3] uint8 RGB. Output: `features` [B, 1280] float32, not negative, not normalised.
    """
    graph = GraphBuilder(name)
    x = _stages(graph, STAGES)
    x = _conv(graph, x, Conv("conv_head", "bn2", (FEATURES, STAGES[-1].channels, 1, 1)))
    graph.add("ReduceMean", [x, "space"], "features", keepdims=0)
    return graph.save(folder, _pixels(), [value("features", TensorProto.FLOAT, ["B", FEATURES])])


def export_lower_graph(folder: Path, stages: int) -> FillPlan:
    """As `export_image_graph`, the stem and the first `stages` stages alone: what tuning the others starts from.

    Output: `states` [B, C, H, W] float32.
    """
    graph = GraphBuilder("lower")
    graph.add("Identity", [_stages(graph, STAGES[:stages])], "states")
    return graph.save(folder, _pixels(), [value("states", TensorProto.FLOAT, ["B", "C", "H", "W"])])


def _pixels() -> list[ValueInfoProto]:
    return [value("pixels", TensorProto.UINT8, ["B", IMAGE_SIZE_PX, IMAGE_SIZE_PX, 3])]


def _stages(graph: GraphBuilder, stages: Sequence[Stage]) -> str:
    """Pixels through the stem and `stages`."""
    graph.constant("zero", 0.0, np.float32)
    graph.constant("six", 6.0, np.float32)
    graph.constant("half_range", 127.5, np.float32)  # (x / 255 - .5) / .5
    graph.constant("one", 1.0, np.float32)
    graph.constant("space", [2, 3], np.int64)
    graph.add("Transpose", ["pixels"], "planes", perm=[0, 3, 1, 2])
    graph.add("Cast", ["planes"], "floats", to=TensorProto.FLOAT)
    graph.add("Div", ["floats", "half_range"], "scaled")
    x = graph.add("Sub", ["scaled", "one"], "normal")
    x = _conv(graph, x, Conv("conv_stem", "bn1", (STEM_CHANNELS, 3, 3, 3), stride=2))
    channels = STEM_CHANNELS
    for index, stage in enumerate(stages):
        for block in range(stage.blocks):
            stride = stage.stride if block == 0 else 1
            x = _block(graph, x, f"blocks.{index}.{block}", stage._replace(stride=stride), channels)
            channels = stage.channels
    return x


def _block(graph: GraphBuilder, x: str, name: str, stage: Stage, channels: int) -> str:
    """Inverted residual: expand, depthwise, project; the first stage has nothing to expand."""
    wide, start, norms = channels * stage.expand, x, iter((f"{name}.bn1", f"{name}.bn2", f"{name}.bn3"))
    if stage.expand != 1:
        x = _conv(graph, x, Conv(f"{name}.conv_pw", next(norms), (wide, channels, 1, 1)))
    depthwise = (wide, 1, stage.kernel, stage.kernel)
    x = _conv(graph, x, Conv(f"{name}.conv_dw", next(norms), depthwise, stage.stride, groups=wide))
    last = "conv_pwl" if stage.expand != 1 else "conv_pw"
    x = _conv(graph, x, Conv(f"{name}.{last}", next(norms), (stage.channels, wide, 1, 1), relu6=False))
    if stage.stride == 1 and channels == stage.channels:
        return graph.add("Add", [x, start], f"{name}.sum")
    return x


def _conv(graph: GraphBuilder, x: str, conv: Conv) -> str:
    sources = [f"{conv.weight}.weight"] + [
        f"{conv.norm}.{part}" for part in ("weight", "bias", "running_mean", "running_var")
    ]
    weight = graph.weight(f"{conv.weight}.w", "bn_weight", sources, conv.shape)
    bias = graph.weight(f"{conv.weight}.b", "bn_bias", sources, conv.shape[:1])
    y = graph.add(
        "Conv",
        [x, weight, bias],
        f"{conv.weight}.y",
        auto_pad="SAME_UPPER",  # TensorFlow's padding
        strides=[conv.stride, conv.stride],
        group=conv.groups,
        kernel_shape=list(conv.shape[2:]),
    )
    return graph.add("Clip", [y, "zero", "six"], f"{conv.weight}.relu6") if conv.relu6 else y
