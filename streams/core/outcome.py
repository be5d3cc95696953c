"""What comes in and what comes out: a raw record, and the two ways its life can end."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from policies.engine.verdict import Verdict
from streams.core.events import ContentEvent

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record as the broker gave it; nothing is known of its bytes yet."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp_s: float = 0.0  # the broker's, seconds since the epoch; 0 when unknown

    def header(self, name: str) -> bytes | None:
        """The last header called `name`."""
        for key, value in reversed(self.headers):
            if key == name:
                return value
        return None


class Fault(StrEnum):
    """Whose fault a dead letter is."""

    PRODUCER = "producer"  # the bytes are not an event
    WEIR = "weir"  # our own code broke on it


class EventDecodeError(Exception):
    """The record is not an event, and its producer can mend it.

    `code` is one of a fixed set (`wire.DECODE_CODES`) and safe to log; `detail` names the path and the expectation and
    never quotes content.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Decided:
    """The event was judged."""

    record: RawRecord
    event: ContentEvent
    verdict: Verdict
    timings_ms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """The record could not be judged; its bytes go to `content.deadletter` with the reason."""

    record: RawRecord
    code: str
    detail: str
    fault: Fault
    exception_class: str = ""
    stacktrace: str = ""
    attempts: int = 1


Outcome = Decided | DeadLetter
