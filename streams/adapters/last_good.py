"""The last bundle that passed, kept on disk: a worker that restarts while the folder is broken judges by it.

Without it a bad edit and a crash together would be an outage. Blocking; one writer.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec


def keep(path: Path, files: Mapping[str, bytes]) -> None:
    """Write the bundle's files; a crash in the middle leaves what was there before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_bytes(msgspec.msgpack.encode(dict(files)))
    part.replace(path)


def recall(path: Path) -> dict[str, bytes] | None:
    """The files kept there; None when there are none or they cannot be read."""
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=dict[str, bytes])
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return None
