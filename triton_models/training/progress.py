"""What long steps tell whoever started them: a stage has a name, a size and advances. The caller draws it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[int], None]


class Progress(Protocol):
    """Somebody who watches."""

    def stage(self, name: str, total: int) -> AbstractContextManager[Advance]:
        """Opens a stage of `total` steps; what it gives is called with the steps done since the last call."""
        ...

    def note(self, text: str) -> None:
        """One finished line about what was done."""
        ...


class Silent:
    """Nobody watches."""

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:  # noqa: ARG002 - the protocol's names
        """A stage that tells nobody."""
        yield lambda _: None

    def note(self, text: str) -> None:
        """Says nothing."""
