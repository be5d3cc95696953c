"""The contract with Triton: model names, tensor names, types, shapes and label order.

Both sides read it: `streams/adapters/triton.py` and `triton_models/serving`. It imports neither, and no numpy.

One request is a batch of B items. An item is one text with at most one image. Every input is always present; an
element of zero bytes means "not there". Pixels travel as the bytes of a uint8 array inside a BYTES tensor, so that
a text-only item costs nothing and items with and without an image share a batch (decision 0002).
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final

from policies.engine.taxonomy import CATEGORIES

MODEL_NAME: Final = "clip_safety"
MAX_BATCH: Final = 32

LABELS: Final[tuple[str, ...]] = CATEGORIES
"""Order of the last axis of SCORES, SEVERITY, DISAGREEMENT and MEMBERS."""

IMAGE_SIZE_PX: Final = 224
IMAGE_BYTES: Final = IMAGE_SIZE_PX * IMAGE_SIZE_PX * 3
EMBEDDING_WIDTH: Final = 384
"""Width of the joint space."""

ROWS: Final[tuple[str, ...]] = ("text", "image", "joint", "fused")
"""Order of the middle axis of SCORES. `fused` is what policies call `score.<category>`."""

MEMBERS: Final[tuple[str, ...]] = ("towers", "ngrams", "prompts", "nsfw", "ocr")
"""The separate opinions, in the order of MEMBERS' and MEMBER_STATUS' middle axis."""


class Status(IntEnum):
    """What became of a member for an item (MEMBER_STATUS, uint8)."""

    OK = 0
    ABSENT = 1  # nothing of its modality in the item
    NOT_RUN = 2  # a gate found it unnecessary, or the release does not have it
    FAILED = 3
    TIMED_OUT = 4  # the time for the batch was spent before its turn came: nothing is known


# --- inputs, all BYTES [B, 1] -------------------------------------------------------------------------------------
TEXT: Final = "TEXT"  # UTF-8
IMAGE: Final = "IMAGE"  # uint8 [224, 224, 3] RGB, row-major, not normalised
OCR_IMAGE: Final = "OCR_IMAGE"  # OCR_HEADER (height, width) then uint8 RGB; larger, for reading text in the image
# --- input, UINT8 [B, 1]: bit 0 text present, bit 1 image present, bit 2 read text in the image --------------------
MASK: Final = "MASK"
MASK_TEXT: Final = 1
MASK_IMAGE: Final = 2
MASK_OCR: Final = 4

# --- outputs ------------------------------------------------------------------------------------------------------
SCORES: Final = "SCORES"  # FP32 [B, 4, C] calibrated probability; NaN = abstained
SEVERITY: Final = "SEVERITY"  # INT32 [B, C] 0..7; -1 = abstained
JOINT: Final = "JOINT"  # FP32 [B, 3] alignment, contradiction, interaction gain; NaN without both modalities
DISAGREEMENT: Final = "DISAGREEMENT"  # FP32 [B, C] spread of the members' probabilities, 0..1; NaN below two members
MEMBER_SCORES: Final = "MEMBERS"  # FP32 [B, M, C] each member's own probability; NaN = no opinion
MEMBER_STATUS: Final = "MEMBER_STATUS"  # UINT8 [B, M] Status
TEXT_EMBEDDING: Final = "TEXT_EMBEDDING"  # FP32 [B, 384] unit length in the joint space; zeros when absent
IMAGE_EMBEDDING: Final = "IMAGE_EMBEDDING"  # FP32 [B, 384] likewise
OCR_TEXT: Final = "OCR_TEXT"  # BYTES [B, 1] JSON [{text, box, score}]; empty when not run
RELEASE: Final = "RELEASE"  # BYTES [B, 1] `name tier`, e.g. b"reference-2026.11.3 reference"

JOINT_NAMES: Final[tuple[str, ...]] = ("alignment", "contradiction", "interaction_gain")

INPUTS: Final[dict[str, tuple[str, tuple[int, ...]]]] = {
    TEXT: ("TYPE_STRING", (1,)),
    IMAGE: ("TYPE_STRING", (1,)),
    OCR_IMAGE: ("TYPE_STRING", (1,)),
    MASK: ("TYPE_UINT8", (1,)),
}
OUTPUTS: Final[dict[str, tuple[str, tuple[int, ...]]]] = {
    SCORES: ("TYPE_FP32", (len(ROWS), len(LABELS))),
    SEVERITY: ("TYPE_INT32", (len(LABELS),)),
    JOINT: ("TYPE_FP32", (len(JOINT_NAMES),)),
    DISAGREEMENT: ("TYPE_FP32", (len(LABELS),)),
    MEMBER_SCORES: ("TYPE_FP32", (len(MEMBERS), len(LABELS))),
    MEMBER_STATUS: ("TYPE_UINT8", (len(MEMBERS),)),
    TEXT_EMBEDDING: ("TYPE_FP32", (EMBEDDING_WIDTH,)),
    IMAGE_EMBEDDING: ("TYPE_FP32", (EMBEDDING_WIDTH,)),
    OCR_TEXT: ("TYPE_STRING", (1,)),
    RELEASE: ("TYPE_STRING", (1,)),
}
"""Name -> (config.pbtxt type, dims without the batch axis)."""

OCR_HEADER: Final = struct.Struct("<HH")
MAX_TEXT_CHARS: Final = 2_000
"""The client cuts a text to this before sending; towers read about 512 tokens."""
