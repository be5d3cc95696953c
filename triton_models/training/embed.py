"""Text embeddings with a cache on disk, so that a killed run goes on where it was.

Texts are sorted by length (little padding) and cut into chunks; a chunk's file is named by its texts and the tower,
written aside and renamed, so it is either whole or not there.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from triton_models.training.progress import Advance

FloatArray = npt.NDArray[np.float32]
CHUNK: Final = 1024


class Encoder(Protocol):
    """A text tower."""

    @property
    def identity(self) -> str:
        """Changes whenever the embeddings of a text would."""
        ...

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """`[N, 384]` unit vectors."""
        ...


def embed_texts(encoder: Encoder, texts: Sequence[str], cache: Path, *, advance: Advance | None = None) -> FloatArray:
    """`[N, D]` float32 in the order of `texts`, from the cache where it has them."""
    cache.mkdir(parents=True, exist_ok=True)
    order = sorted(range(len(texts)), key=lambda index: (len(texts[index]), texts[index]))
    parts: list[npt.NDArray[np.float16]] = []
    for start in range(0, len(order), CHUNK):
        chunk = [texts[index] for index in order[start : start + CHUNK]]
        path = cache / f"{_key(encoder.identity, chunk)}.npy"
        if not path.is_file():
            _write(path, encoder.encode(chunk).astype(np.float16))
        parts.append(np.load(path, allow_pickle=False))
        if advance is not None:
            advance(len(chunk))
    if not parts:
        return np.empty((0, 0), dtype=np.float32)
    embedded = np.concatenate(parts).astype(np.float32)
    out = np.empty_like(embedded)
    out[order] = embedded
    return out


def _key(identity: str, texts: Sequence[str]) -> str:
    digest = hashlib.blake2b(identity.encode(), digest_size=16)
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


def _write(path: Path, array: npt.NDArray[np.float16]) -> None:
    aside = path.with_suffix(f".{os.getpid()}.tmp")
    with aside.open("wb") as file:
        np.save(file, array, allow_pickle=False)
    aside.replace(path)
