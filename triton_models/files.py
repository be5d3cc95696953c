"""What fetching and assembling share about files: hashes, and a lock between processes."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

CHUNK_BYTES: Final = 1 << 20


def sha256_of(path: Path) -> str:
    """The hex SHA-256 of the file's bytes; OSError when it cannot be read."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(CHUNK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def digest_files(paths: Sequence[Path]) -> str:
    """A short hash of the files' bytes, in the given order; OSError when one is missing."""
    digest = hashlib.blake2b(digest_size=12)
    for path in paths:
        digest.update(sha256_of(path).encode())
    return digest.hexdigest()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Exclusive between processes while the block runs; the kernel lets go when the holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
