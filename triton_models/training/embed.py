"""Text embeddings with a cache on disk, so that a killed run goes on where it was.

Texts are sorted by length (little padding) and cut into chunks; a chunk's file is named by its texts and the tower,
written aside and renamed, so it is either whole or not there.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from triton_models.training.progress import Advance

FloatArray = npt.NDArray[np.float32]
CHUNK: Final = 512


class Encoder(Protocol):
    """A text tower that takes its work in chunks."""

    identity: str
    """Changes whenever the embedding of a text would."""

    def encode(self, chunks: Sequence[Sequence[str]]) -> Iterator[FloatArray]:
        """For each chunk its `[n, D]` unit vectors, in order."""
        ...


def embed_texts(encoder: Encoder, texts: Sequence[str], cache: Path, *, advance: Advance | None = None) -> FloatArray:
    """`[N, D]` float32 in the order of `texts`, from the cache where it has them."""
    if not texts:
        return np.empty((0, 0), dtype=np.float32)
    cache.mkdir(parents=True, exist_ok=True)
    order = sorted(range(len(texts)), key=lambda index: (len(texts[index]), texts[index]))
    chunks = [[texts[index] for index in order[start : start + CHUNK]] for start in range(0, len(order), CHUNK)]
    paths = [cache / f"{_key(encoder.identity, chunk)}.npy" for chunk in chunks]
    wanted = [index for index, path in enumerate(paths) if not path.is_file()]
    if advance is not None:
        advance(len(texts) - sum(len(chunks[index]) for index in wanted))
    for index, vectors in zip(wanted, encoder.encode([chunks[index] for index in wanted]), strict=True):
        _write(paths[index], vectors.astype(np.float16))
        if advance is not None:
            advance(len(vectors))
    embedded = np.concatenate([np.load(path, allow_pickle=False) for path in paths])
    out = np.empty(embedded.shape, dtype=np.float32)
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
