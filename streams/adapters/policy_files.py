"""Policies from a folder, followed while the worker runs: edit the files, and a second later they judge.

A change is looked at when two looks in a row see the same files, so that an editor or a checkout in the middle of its
work is not mistaken for a bundle. What is wrong with a bundle is the shelf's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import structlog

from policies import PolicyBundle, PolicyErrors, load_files
from policies.engine.loader import SUFFIXES, read_files
from policies.engine.signals import Catalogue
from streams.adapters import last_good
from streams.adapters.policy_gate import load_gated
from streams.adapters.policy_shelf import PolicyShelf, PolicyStatus

log = structlog.get_logger(__name__)

LOOK_S: Final = 1.0

_Seen = tuple[tuple[str, int, int, int], ...]


class FolderPolicySource:
    """The bundle of a folder. Build it (blocking) before the loop runs, own `watch` as a task.

    `keep`: where the last good bundle is kept; a worker that starts while the folder is broken judges by it.
    PolicyErrors, with every problem, when the folder is broken and nothing is kept.
    """

    def __init__(self, folder: Path, catalogue: Catalogue, *, keep: Path | None = None) -> None:
        self._folder = folder
        self._keep = keep
        self._seen: _Seen | None = None
        self._taken: _Seen | None = None
        self._shelf = self._start(catalogue)

    @property
    def status(self) -> PolicyStatus:
        """What judges now, and what was refused since."""
        return self._shelf.status

    def current(self) -> PolicyBundle:
        """The bundle to judge by."""
        return self._shelf.current()

    async def watch(self, *, every_s: float = LOOK_S) -> None:
        """Follow the folder for ever; cancel to stop."""
        while True:
            await asyncio.sleep(every_s)
            await self.look()

    async def look(self) -> bool:
        """Look at the folder once; True when another bundle judges from now on."""
        seen = await asyncio.to_thread(_seen, self._folder)
        settled = seen == self._seen
        self._seen = seen
        if not settled or seen == self._taken:
            return False
        try:
            files = await asyncio.to_thread(read_files, self._folder)
        except OSError as exc:
            log.warning("policy.unreadable", folder=str(self._folder), why=exc.strerror)
            return False  # looked at again in a moment: a file that vanished while it was read
        self._taken = seen
        if not files:
            if self.status.refused is None or self.status.refused.hash:
                self._shelf.refuse("", [f"{self._folder}:1:1: NO-FOLDER the folder is gone or empty"])
            return False
        return await self._shelf.offer(files, origin=str(self._folder))

    def _start(self, catalogue: Catalogue) -> PolicyShelf:
        self._seen = self._taken = _seen(self._folder)
        try:
            files = read_files(self._folder) or {}
        except OSError as exc:
            log.warning("policy.unreadable", folder=str(self._folder), why=exc.strerror)
            files = {}  # as a bundle without policies, which loading refuses
        name = str(self._folder)
        try:
            if self._keep is not None and last_good.recall(self._keep) == files:
                bundle = load_files(files, catalogue, name=name)  # passed already: a date that went by must not stop us
            else:
                bundle = load_gated(files, catalogue, name=name)
        except PolicyErrors as exc:
            return self._recall(catalogue, exc)
        self._swapped(bundle, files)
        return PolicyShelf(bundle, catalogue, origin=name, on_swap=self._swapped)

    def _recall(self, catalogue: Catalogue, refused: PolicyErrors) -> PolicyShelf:
        """The shelf with the last good bundle; the refusal when there is none or it no longer loads."""
        kept = last_good.recall(self._keep) if self._keep is not None else None
        if kept is None:
            raise refused
        try:
            bundle = load_files(kept, catalogue, name=str(self._folder))  # the same bundle has the same name
        except PolicyErrors:
            raise refused from None
        shelf = PolicyShelf(bundle, catalogue, origin=f"{self._keep}", on_swap=self._swapped)
        shelf.refuse("", [str(problem) for problem in refused.problems if problem.level == "error"])
        return shelf

    def _swapped(self, bundle: PolicyBundle, files: Mapping[str, bytes]) -> None:
        if self._keep is None:
            return
        try:
            last_good.keep(self._keep, files)
        except OSError as exc:
            log.warning("policy.not_kept", hash=bundle.hash, why=exc.strerror)


def _seen(folder: Path) -> _Seen:
    """Names, times, sizes and inodes of the files that make the bundle; cheap, reads no contents."""
    made: list[tuple[str, int, int, int]] = []
    try:
        for path in sorted(folder.rglob("*")):
            if path.suffix in SUFFIXES:
                stat = path.stat()
                made.append((str(path), stat.st_mtime_ns, stat.st_size, stat.st_ino))
    except OSError:
        made.append(("unreadable", 0, 0, 0))
    return tuple(made)
