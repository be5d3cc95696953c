"""The `E5S1` format: a 4-bit BERT and its Unigram vocabulary in one file, read with numpy.

Layout (little-endian): magic, u32 version, 7 x i32 (hidden, layers, heads, ffn, vocabulary, positions, types), f32
epsilon, i32 block; vocabulary; normalisation map; tensor directory; tensors. A Q4_0 block is an f16 scale and 16 bytes
whose low nibbles are weights 0-15 and high nibbles 16-31; a weight is (nibble - 8) * scale.
Only reading lives here; what the tensors become is `triton_models.assemble`'s and `training/towers.py`'s business.
"""

from __future__ import annotations

import itertools
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

MAGIC: Final = b"E5S1"
BLOCK: Final = 32
BLOCK_DTYPE: Final = np.dtype([("scale", "<f2"), ("nibbles", "u1", (BLOCK // 2,))])
"""One Q4_0 block, 18 bytes."""

_F32: Final = 0
_Q4_0: Final = 1

Blocks = npt.NDArray[Any]  # of BLOCK_DTYPE
FloatArray = npt.NDArray[np.float32]


class E5FormatError(ValueError):
    """The file is not an E5S1 model that this reader knows."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of the BERT."""

    hidden: int
    layers: int
    heads: int
    ffn: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Unigram pieces with their log probabilities, and the ids of the special ones."""

    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    bos: int
    eos: int
    pad: int
    unk: int


@dataclass(frozen=True, slots=True)
class E5Model:
    """A model whose tensors are views into the mapped file: opening costs nothing, reading pages in what is read."""

    shape: Shape
    vocabulary: Vocabulary
    tensors: Mapping[str, tuple[int, int, int]]  # name -> (dtype, count, offset)
    buffer: memoryview
    changed: Mapping[str, FloatArray] = field(default_factory=dict)  # tensors that are no longer the part's own

    def blocks(self, name: str) -> Blocks:
        """The Q4_0 blocks of a tensor, flat, as stored; E5FormatError when it is stored as floats."""
        dtype, count, offset = self._entry(name)
        if dtype != _Q4_0:
            raise E5FormatError(f"{name} is not stored in 4-bit blocks")
        return np.frombuffer(self.buffer, BLOCK_DTYPE, count // BLOCK, offset)

    def tensor(self, name: str) -> FloatArray:
        """The tensor as flat float32, dequantised where it was quantised."""
        if name in self.changed:
            return self.changed[name].reshape(-1)
        dtype, count, offset = self._entry(name)
        if dtype == _F32:
            return np.frombuffer(self.buffer, np.float32, count, offset)
        return dequantise(self.blocks(name)).reshape(count)

    def array(self, name: str) -> FloatArray:
        """The tensor in its shape: `[outputs, inputs]` for matrices, flat for biases and norms."""
        flat = self.tensor(name)
        if name.endswith((".b", "ln.w")):
            return flat
        return flat.reshape(-1, self.shape.ffn if name.endswith(".fo.w") else self.shape.hidden)

    def _entry(self, name: str) -> tuple[int, int, int]:
        try:
            return self.tensors[name]
        except KeyError as exc:
            raise E5FormatError(f"the model has no tensor {name}") from exc


def dequantise(blocks: Blocks) -> FloatArray:
    """`[..., n]` blocks to `[..., n * 32]` float32."""
    nibbles = blocks["nibbles"]
    values: FloatArray = np.concatenate([nibbles & 0x0F, nibbles >> 4], axis=-1).astype(np.float32)
    values -= 8.0
    values *= blocks["scale"].astype(np.float32)[..., None]
    return values.reshape(*blocks.shape[:-1], -1)


def read_e5(path: Path) -> E5Model:
    """The model in `path`, mapped into memory; E5FormatError when the file is something else or is cut short."""
    with path.open("rb") as file:
        buffer = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    try:
        return _parse(buffer)
    except (struct.error, ValueError) as exc:  # numpy and struct say so when the buffer is too short
        raise exc if isinstance(exc, E5FormatError) else E5FormatError(f"{path}: cut short or damaged: {exc}") from exc


def _parse(buffer: memoryview) -> E5Model:
    if bytes(buffer[:4]) != MAGIC:
        raise E5FormatError("no E5S1 signature")
    version, *shape, block = struct.unpack_from("<I7ifi", buffer, 4)
    if version != 1 or block != BLOCK:
        raise E5FormatError(f"version {version} with blocks of {block}; this reader knows version 1 with {BLOCK}")
    vocabulary, at = _vocabulary(buffer, 4 + struct.calcsize("<I7ifi"))
    _entries, map_bytes = struct.unpack_from("<iI", buffer, at)
    tensors = _directory(
        buffer, at + 8 + map_bytes
    )  # the map is NFKC and a few blanks: `tokenizer.py` says it in words
    return E5Model(Shape(*shape), vocabulary, tensors, buffer)


def _vocabulary(buffer: memoryview, at: int) -> tuple[Vocabulary, int]:
    """The vocabulary that starts at `at`, and where it ends."""
    count, bos, eos, pad, unk, blob_bytes = struct.unpack_from("<5iQ", buffer, at)
    at += struct.calcsize("<5iQ")
    offsets = np.frombuffer(buffer, "<u4", count + 1, at).tolist()
    scores = np.frombuffer(buffer, "<f4", count, at + 4 * (count + 1)).tolist()
    at += 4 * (count + 1) + 4 * count
    blob = bytes(buffer[at : at + blob_bytes])
    pieces = tuple(blob[start:end].decode() for start, end in itertools.pairwise(offsets))
    return Vocabulary(pieces, tuple(scores), bos, eos, pad, unk), at + blob_bytes


def _directory(buffer: memoryview, at: int) -> dict[str, tuple[int, int, int]]:
    """Name -> (dtype, count, offset) of every tensor."""
    (count,) = struct.unpack_from("<i", buffer, at)
    at += 4
    tensors: dict[str, tuple[int, int, int]] = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", buffer, at)
        name = bytes(buffer[at + 2 : at + 2 + length]).decode()
        dtype, elements, offset, size = struct.unpack_from("<BIQQ", buffer, at + 2 + length)
        if offset + size > len(buffer):
            raise E5FormatError(f"{name} lies beyond the end of the file")
        tensors[name] = (dtype, elements, offset)
        at += 2 + length + struct.calcsize("<BIQQ")
    return tensors
