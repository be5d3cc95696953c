"""The served text tower, spread over processes: training reads exactly the embeddings that serving will compute.

A tower uses one core; `processes` of them work on different chunks. Workers end with the `with` block, and when their
parent is killed: they watch it, because a pool's workers would wait for ever.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from triton_models.serving.text_tower import TextTower
from triton_models.training.progress import Progress

FloatArray = npt.NDArray[np.float32]

CHUNK: Final = 256
"""Texts that `read_texts` has the tower read at a time."""

_tower: TextTower | None = None
"""The worker process's tower; set by `_open` in each worker, never in the parent."""


class TowerEncoder:
    """Encodes chunks of texts on several cores."""

    def __init__(self, directory: Path, *, processes: int) -> None:
        self.identity = TextTower.load(directory).identity
        self.encoded = 0  # texts that were asked for
        self._pool = ProcessPoolExecutor(
            max_workers=processes,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_open,
            initargs=(directory,),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def encode(self, chunks: Sequence[Sequence[str]]) -> Iterator[FloatArray]:
        """For each chunk its `[n, 384]` unit vectors, in order."""
        self.encoded += sum(len(chunk) for chunk in chunks)
        return self._pool.map(_encode, [list(chunk) for chunk in chunks])


def read_texts(tower: TextTower, texts: Sequence[str], *, stage: str, progress: Progress) -> FloatArray:
    """`[N, 384]` raw vectors, read in this process, at once a chunk."""
    found = []
    with progress.stage(stage, len(texts)) as advance:
        for at in range(0, len(texts), CHUNK):
            found.append(tower.encode(texts[at : at + CHUNK]))
            advance(len(found[-1]))
    return np.concatenate(found)


def _open(directory: Path) -> None:
    global _tower  # noqa: PLW0603 - a pool's initializer has no other place to leave what its tasks need
    _tower = TextTower.load(directory)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _encode(texts: list[str]) -> FloatArray:
    if _tower is None:
        raise RuntimeError("the worker was not initialised")
    return _tower.encode(texts)
