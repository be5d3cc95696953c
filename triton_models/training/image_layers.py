"""The image tower's upper stages in torch, under the part's own tensor names, and the lower ones' activations on disk.

Batch norms are folded: their statistics stay the part's, their bias and the convolutions' weights may move, so that
what comes out fits the exported graph. What tuning does not change is computed once, by the graph that serves, and
read from there. No loss, no optimiser, no captions.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from triton_models.fill import fill
from triton_models.serving.sessions import open_session
from triton_models.training.graph_image import FEATURES, STAGES, Conv, export_lower_graph
from triton_models.training.progress import Advance

Array = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
Weights = Mapping[str, npt.NDArray[np.float32]]

EPSILON: Final = 1e-3
"""TensorFlow's, inside the batch norms."""
BATCH: Final = 8


class FoldedConv(nn.Module):
    """A convolution with its batch norm: conv(x, w * scale) + (b - mean * scale), then ReLU6 if it has one."""

    scale: torch.Tensor
    shift: torch.Tensor

    def __init__(self, weights: Weights, conv: Conv) -> None:
        super().__init__()
        self.conv = conv

        def tensor(name: str) -> torch.Tensor:
            return torch.from_numpy(np.array(weights[name], dtype=np.float32))

        scale = tensor(f"{conv.norm}.weight") / torch.sqrt(tensor(f"{conv.norm}.running_var") + EPSILON)
        self.weight = nn.Parameter(tensor(f"{conv.weight}.weight").reshape(conv.shape))
        self.bias = nn.Parameter(tensor(f"{conv.norm}.bias"))
        self.register_buffer("scale", scale, persistent=False)
        self.register_buffer("shift", tensor(f"{conv.norm}.running_mean") * scale, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`[B, C, H, W]` to the same of the conv's own channels, TensorFlow's "same" padding."""
        conv, kernel = self.conv, self.conv.shape[2]
        missing = max((-(-x.shape[2] // conv.stride) - 1) * conv.stride + kernel - x.shape[2], 0)
        padding: int | str = kernel // 2
        if conv.stride > 1:
            x, padding = nn.functional.pad(x, (missing // 2, missing - missing // 2) * 2), 0
        weight = self.weight * self.scale[:, None, None, None]
        y = nn.functional.conv2d(x, weight, self.bias - self.shift, conv.stride, padding, groups=conv.groups)
        return nn.functional.relu6(y) if conv.relu6 else y


class Block(nn.Module):
    """Inverted residual: expand, depthwise, project; the sum where shapes allow."""

    def __init__(self, convs: Sequence[FoldedConv], *, residual: bool) -> None:
        super().__init__()
        self.convs, self.residual = nn.Sequential(*convs), residual

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`[B, C, H, W]`."""
        y: torch.Tensor = self.convs(x)
        return x + y if self.residual else y


class ImageLayers(nn.Module):
    """Stages `first`..6 of the tower, its head and its mean pooling."""

    def __init__(self, weights: Weights, first: int) -> None:
        super().__init__()
        channels, blocks = STAGES[first - 1].channels, list[nn.Module]()
        for index, stage in enumerate(STAGES[first:], start=first):
            for number in range(stage.blocks):
                name, stride = f"blocks.{index}.{number}", stage.stride if number == 0 else 1
                wide = channels * stage.expand
                convs = (
                    Conv(f"{name}.conv_pw", f"{name}.bn1", (wide, channels, 1, 1)),
                    Conv(f"{name}.conv_dw", f"{name}.bn2", (wide, 1, stage.kernel, stage.kernel), stride, groups=wide),
                    Conv(f"{name}.conv_pwl", f"{name}.bn3", (stage.channels, wide, 1, 1), relu6=False),
                )
                residual = stride == 1 and channels == stage.channels
                blocks.append(Block([FoldedConv(weights, conv) for conv in convs], residual=residual))
                channels = stage.channels
        head = Conv("conv_head", "bn2", (FEATURES, channels, 1, 1))
        self.stages = nn.Sequential(*blocks, FoldedConv(weights, head))

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Features `[B, 1280]` of the lower stages' states `[B, C, H, W]`."""
        features: torch.Tensor = self.stages(states).mean(dim=(2, 3))
        return features

    def part_names(self) -> dict[str, torch.Tensor]:
        """The parameters under the part's names: `blocks.5.0.conv_pw.weight`, `blocks.5.0.bn1.bias`."""
        found: dict[str, torch.Tensor] = {}
        for module in self.modules():
            if isinstance(module, FoldedConv):
                found[f"{module.conv.weight}.weight"] = module.weight
                found[f"{module.conv.norm}.bias"] = module.bias
        return found


def store_states(
    weights: Callable[[str], Array],
    batches: Iterable[Pixels],
    count: int,
    path: Path,
    *,
    first: int,
    advance: Advance,
) -> npt.NDArray[np.float16]:
    """`[N, C, H, W]` fp16 below stage `first` for `count` pictures, computed once and mapped from `path`."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            plan = export_lower_graph(Path(folder), first)
            fill(plan, weights, Path(folder) / plan.data)
            session = open_session(Path(folder) / plan.graph)
            aside, out, done = path.with_suffix(".part"), None, 0
            for pixels in batches:
                (states,) = session.run(None, {"pixels": pixels})
                if out is None:
                    out = np.lib.format.open_memmap(  # type: ignore[no-untyped-call]
                        aside, "w+", np.float16, (count, *states.shape[1:])
                    )
                out[done : done + len(states)] = states
                done += len(states)
                advance(len(states))
        aside.replace(path)
    mapped: npt.NDArray[np.float16] = np.load(path, mmap_mode="r")
    return mapped
