"""The one reference to the bundle in force: offered files are compiled and tested off the loop, then swapped in.

Whatever is wrong with what is offered, the last good bundle stays and the refusal is visible in the log and in
`status`. Where the files come from (a folder, a topic) is the sources' business.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import structlog

from policies import PolicyBundle, PolicyErrors
from policies.engine.loader import hash_files
from policies.engine.signals import Catalogue
from streams.adapters.policy_gate import load_gated

log = structlog.get_logger(__name__)

#: Problems that a log line or `status` shows; `weir policy check` shows all.
SHOWN_PROBLEMS: Final = 20


@dataclass(frozen=True, slots=True)
class Refusal:
    """A bundle that was offered and not taken."""

    hash: str
    problems: tuple[str, ...]
    count: int
    at: float  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class PolicyStatus:
    """What judges now, and what was refused since."""

    bundle: str  # name@version#hash
    hash: str
    since: float  # seconds since the epoch
    origin: str
    swaps: int = 0
    refusals: int = 0
    refused: Refusal | None = None  # the last one, until a bundle is taken again


class PolicyShelf:
    """Holds the bundle in force. Owned by one event loop; `current` is a plain read."""

    def __init__(
        self,
        bundle: PolicyBundle,
        catalogue: Catalogue,
        *,
        origin: str,
        time_s: Callable[[], float] = time.time,
        on_swap: Callable[[PolicyBundle, Mapping[str, bytes]], None] = lambda _bundle, _files: None,
    ) -> None:
        self._bundle = bundle
        self._catalogue = catalogue
        self._time_s = time_s
        self._on_swap = on_swap
        self.status = PolicyStatus(bundle.label, bundle.hash, time_s(), origin)

    def current(self) -> PolicyBundle:
        """The bundle to judge by."""
        return self._bundle

    async def offer(self, files: Mapping[str, bytes], *, origin: str, name: str = "") -> bool:
        """Take these files into force; False when they are in force already or are refused.

        `name` stands before file names in problems, and names a bundle without a name of its own.
        """
        hash_ = hash_files(dict(files))
        if hash_ == self._bundle.hash:
            self.status = replace(self.status, refused=None)  # what was broken has been taken back
            return False
        if self.status.refused is not None and self.status.refused.hash == hash_:
            return False
        try:
            bundle = await asyncio.to_thread(self._load, files, name or origin)
        except PolicyErrors as exc:
            errors = [str(problem) for problem in exc.problems if problem.level == "error"]
            self.refuse(hash_, errors or [str(problem) for problem in exc.problems])
            return False
        except Exception as exc:  # a bug in compiling must not end the watch: the bundle in force is good
            log.exception("policy.load_broke", hash=hash_)
            self.refuse(hash_, [f"{origin}:1:1: INTERNAL {type(exc).__name__} while loading; see the log"])
            return False
        before, self._bundle = self._bundle, bundle
        self.status = PolicyStatus(
            bundle.label, bundle.hash, self._time_s(), origin, self.status.swaps + 1, self.status.refusals
        )
        log.info("policy.swapped", before=before.label, after=bundle.label, origin=origin)
        return True

    def refuse(self, hash_: str, problems: list[str]) -> None:
        """Say that something offered is not taken; the bundle in force stays."""
        refusal = Refusal(hash_, tuple(problems[:SHOWN_PROBLEMS]), len(problems), self._time_s())
        self.status = replace(self.status, refused=refusal, refusals=self.status.refusals + 1)
        log.error(
            "policy.refused", hash=hash_, in_force=self._bundle.label, problems=refusal.problems, count=refusal.count
        )

    def _load(self, files: Mapping[str, bytes], name: str) -> PolicyBundle:
        bundle = load_gated(files, self._catalogue, name=name)
        self._on_swap(bundle, files)
        return bundle
