"""Hash banks as files, one `<bank>.npz` each: read at start, followed while the worker runs, written by `weir bank`.

Hashes and opaque ids only: no picture is ever stored. A file that cannot be read leaves the hashes that were read
before in force, and says so; without any, the bank is broken, which is not the same as empty.
"""

from __future__ import annotations

import asyncio
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
import structlog

from streams.core.bank_index import BankArrays, BankIndex, BankState, Broken, Imported, NotImported, pack, unpack
from streams.core.bank_rows import BankEntry

log = structlog.get_logger(__name__)

SUFFIX: Final = ".npz"
LOOK_S: Final = 5.0

_Stamp = tuple[int, int, int]


class BankStore:
    """The banks of a folder. Build it (blocking) before the loop runs, own `watch` as a task."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._states: dict[str, BankState] = {}
        self._stamps: dict[str, _Stamp] = {}
        self._folder_problem = ""
        self._read()

    def state(self, name: str) -> BankState:
        """What the bank is now. Cheap."""
        if self._folder_problem and name not in self._states:
            return Broken(self._folder_problem)
        return self._states.get(name, NotImported())

    def states(self) -> dict[str, BankState]:
        """Every bank that was ever seen, by name."""
        return dict(self._states)

    async def watch(self, *, every_s: float = LOOK_S) -> None:
        """Follow the folder for ever; cancel to stop."""
        while True:
            await asyncio.sleep(every_s)
            await self.look()

    async def look(self) -> None:
        """Read what changed, in a thread; each bank is swapped whole."""
        await asyncio.to_thread(self._read)

    def _read(self) -> None:
        try:
            paths = sorted(self._folder.iterdir()) if self._folder.exists() else []
        except OSError as exc:
            self._folder_problem = f"the folder of banks cannot be read: {exc.strerror}"
            log.exception("bank.folder_unreadable")
            return
        self._folder_problem = ""
        found = {path.name.removesuffix(SUFFIX): path for path in paths if path.suffix == SUFFIX}
        for name, path in found.items():
            self._read_bank(name, path)
        for name in self._stamps.keys() - found.keys():
            del self._stamps[name]
            self._states[name] = Broken("the bank's file has gone since the worker read it")
            log.error("bank.gone", bank=name)

    def _read_bank(self, name: str, path: Path) -> None:
        try:
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if self._stamps.get(name) == stamp:
                return
            self._stamps[name] = stamp
            index = BankIndex(_load(path))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as exc:
            self._refuse(name, exc)
            return
        self._states[name] = Imported(index)
        log.info("bank.loaded", bank=name, version=index.version, **{k: n for k, n in index.counts.items() if n})

    def _refuse(self, name: str, exc: Exception) -> None:
        kept = isinstance(self._states.get(name), Imported)
        log.error("bank.refused", bank=name, error=type(exc).__name__, kept_last_good=kept)
        if not kept:
            self._states[name] = Broken(f"the bank's file cannot be read: {type(exc).__name__}")


def _load(path: Path) -> BankArrays:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def bank_path(folder: Path, name: str) -> Path:
    """Where a bank's hashes are."""
    return folder / f"{name}{SUFFIX}"


def write_bank(path: Path, entries: Iterable[BankEntry]) -> BankIndex:
    """Write the entries as the bank's new content, all or nothing; the index of what was written."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    arrays = pack(entries)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with part.open("wb") as out:
        np.savez(out, **arrays)
    part.chmod(0o600)
    part.replace(path)
    return BankIndex(arrays)


def read_bank(path: Path) -> list[BankEntry]:
    """The entries of a bank's file; ValueError or OSError when it cannot be read."""
    try:
        return unpack(_load(path))
    except (KeyError, EOFError, zipfile.BadZipFile) as exc:
        raise ValueError(f"{path.name} is no bank") from exc
