"""EfficientNet-Lite0's weights under timm's names.

The part's checkpoint numbers its blocks from 0 to 15 and names their layers as the TensorFlow port did; timm
(`tf_efficientnet_lite0`) groups them in stages. Only names change.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from triton_models.parts.checkpoint import Array, read_checkpoint

STAGE_BLOCKS: Final = (1, 2, 2, 3, 3, 4, 1)
_ENDS: Final = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_FIRST_BLOCK: Final = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_BLOCK: Final = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def read_lite0(path: Path) -> dict[str, Array]:
    """Name in timm -> array, all 296 of them; CheckpointFormatError when the file is no checkpoint."""
    return {timm_name(name): values for name, values in read_checkpoint(path).items()}


def timm_name(name: str) -> str:
    """The name in timm for one of the checkpoint's: `_blocks.2._bn0.bias` -> `blocks.1.1.bn1.bias`."""
    if not name.startswith("_blocks."):
        layer, _, leaf = name.partition(".")
        return f"{_ENDS[layer]}.{leaf}"
    _, number, layer, leaf = name.split(".", 3)
    stage, block = _place(int(number))
    return f"blocks.{stage}.{block}.{(_BLOCK if stage else _FIRST_BLOCK)[layer]}.{leaf}"


def _place(number: int) -> tuple[int, int]:
    """(stage, block within it) of the block that the checkpoint calls `number`."""
    for stage, blocks in enumerate(STAGE_BLOCKS):
        if number < blocks:
            return stage, number
        number -= blocks
    raise KeyError(f"block {number} beyond the last stage")
