"""Text embeddings with a store on disk, so that a killed run goes on where it was and a changed recipe loses nothing.

The store is a folder per tower with one file per encoded chunk: the texts' hashes and their vectors as fp16. A file is
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
CHUNK: Final = 256


class Encoder(Protocol):
    """A text tower that takes its work in chunks."""

    identity: str
    """Changes whenever the embedding of a text would."""

    def encode(self, chunks: Sequence[Sequence[str]]) -> Iterator[FloatArray]:
        """For each chunk its `[n, D]` unit vectors, in order."""
        ...


def embed_texts(encoder: Encoder, texts: Sequence[str], store: Path, *, advance: Advance | None = None) -> FloatArray:
    """`[N, D]` float32 in the order of `texts`; only texts that the store does not have are encoded."""
    if not texts:
        return np.empty((0, 0), dtype=np.float32)
    folder = store / encoder.identity
    folder.mkdir(parents=True, exist_ok=True)
    keys = [_key(text) for text in texts]
    vectors = _load(folder, frozenset(keys))
    wanted = {key: text for key, text in zip(keys, texts, strict=True) if key not in vectors}
    if advance is not None:
        advance(len(texts) - len(wanted))
    # Texts of like length share a chunk: little padding, and progress that slows down predictably.
    order = sorted(wanted, key=lambda key: (len(wanted[key]), key))
    chunks = [order[start : start + CHUNK] for start in range(0, len(order), CHUNK)]
    for chunk, found in zip(chunks, encoder.encode([[wanted[key] for key in chunk] for chunk in chunks]), strict=True):
        rows = found.astype(np.float16)
        _write(folder, chunk, rows)
        vectors.update(zip(chunk, rows, strict=True))
        if advance is not None:
            advance(len(chunk))
    return np.stack([vectors[key] for key in keys]).astype(np.float32)


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _load(folder: Path, keys: frozenset[bytes]) -> dict[bytes, npt.NDArray[np.float16]]:
    vectors: dict[bytes, npt.NDArray[np.float16]] = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as saved:
            found, rows = saved["keys"], saved["vectors"]
        chunk = zip((key.tobytes() for key in found), rows, strict=True)
        vectors.update({key: row for key, row in chunk if key in keys})
    return vectors


def _write(folder: Path, keys: Sequence[bytes], rows: npt.NDArray[np.float16]) -> None:
    name = hashlib.blake2b(b"".join(keys), digest_size=12).hexdigest()
    aside = folder / f"{name}.{os.getpid()}.tmp"
    with aside.open("wb") as file:
        np.savez(file, keys=np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(-1, 16), vectors=rows)
    aside.replace(folder / f"{name}.npz")
