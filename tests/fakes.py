"""Stand-ins for everything outside: time, model, media, policies, broker. Each keeps the promises of its port.

Where a real twin exists, `tests/contract` runs the same suite on both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from policies import PolicyBundle
from policies.engine.signals import SignalSet, SignalSpec
from streams.core.events import ContentEvent, ImagePart
from streams.core.outcome import Headers, RawRecord
from streams.ports import (
    MediaUnavailableError,
    ModelItem,
    ModelOpinion,
    ModelUnavailableError,
    Picture,
    TooLargeError,
)
from tests.factories import an_opinion
from triton_models.contract import IMAGE_BYTES


class FakeClock:
    """Time that moves only when told."""

    def __init__(self, now_s: float = 1_700_000_000.0) -> None:
        self.now_s = now_s

    def time(self) -> float:
        """Seconds since the epoch."""
        return self.now_s

    def monotonic(self) -> float:
        """The same scale: only differences are used."""
        return self.now_s

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds


@dataclass
class FakeModel:
    """The served ensemble: answers from the text, breaks or waits on request."""

    answer: Callable[[ModelItem], ModelOpinion] = lambda _item: an_opinion({"hate": 0.25})
    failure: ModelUnavailableError | None = None
    gate: asyncio.Event | None = None
    calls: list[list[ModelItem]] = field(default_factory=list)

    async def infer(self, items: Sequence[ModelItem], *, timeout_s: float) -> list[ModelOpinion]:
        """One opinion per item, in order."""
        self.calls.append(list(items))
        if self.gate is not None:
            try:
                async with asyncio.timeout(timeout_s):
                    await self.gate.wait()
            except TimeoutError as exc:
                raise ModelUnavailableError("the gate stayed shut", timeout=True) from exc
        if self.failure is not None:
            raise self.failure
        return [self.answer(item) for item in items]


@dataclass
class FakeMedia:
    """Media by reference from a dict; what is not in it is missing."""

    files: Mapping[str, bytes] = field(default_factory=dict)

    async def fetch(self, uri: str) -> bytes:
        """The bytes behind `uri`."""
        if uri not in self.files:
            raise MediaUnavailableError("media.missing", "not there")
        return self.files[uri]


@dataclass
class FakePictures:
    """Pixels without decoding; `bad` names the URIs that cannot be read."""

    bad: frozenset[str] = frozenset()

    async def read(self, part: ImagePart) -> Picture:
        """A black picture."""
        if part.uri in self.bad:
            raise MediaUnavailableError("media.missing", "not there")
        return Picture(bytes(IMAGE_BYTES))


class FakePolicies:
    """Policies in force that a test swaps; a missing bundle is a broken source."""

    def __init__(self, bundle: PolicyBundle | None) -> None:
        self.bundle = bundle

    def current(self) -> PolicyBundle:
        """The bundle."""
        if self.bundle is None:
            raise RuntimeError("no policies")
        return self.bundle


@dataclass
class FakeDetector:
    """A detector that says what a test tells it to."""

    says: Callable[[ContentEvent], SignalSet] = lambda _event: SignalSet()
    name: str = "fake"
    provides: Sequence[SignalSpec] = (SignalSpec("fake.value", "int", "a value", "fake"),)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)  # event id -> what its batch waits for
    batches: list[list[str]] = field(default_factory=list)

    async def detect(self, batch: Sequence[ContentEvent], *, timeout_s: float) -> list[SignalSet]:
        """One set per event."""
        self.batches.append([event.event_id for event in batch])
        for event in batch:
            if event.event_id in self.gates:
                await self.gates[event.event_id].wait()
        return [self.says(event) for event in batch]


@dataclass(frozen=True, slots=True)
class Sent:
    """A record that the outbox took, and its pending ack."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    ack: asyncio.Future[object]

    def header(self, name: str) -> str:
        """The header as text; KeyError without it."""
        return dict(self.headers)[name].decode()


@dataclass
class FakeOutbox:
    """A producer whose acks a test gives, withholds or refuses.

    `refuse_above` bytes: the call raises TooLargeError (the producer's own limit); `reject_above`: the ack does (the
    broker's).
    """

    acking: bool = True
    failure: Exception | None = None
    ack_failure: Exception | None = None
    refuse_above: int | None = None
    reject_above: int | None = None
    sent: list[Sent] = field(default_factory=list)

    async def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> Awaitable[object]:
        """Take a record."""
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        size = len(value or b"")
        if self.refuse_above is not None and size > self.refuse_above:
            raise TooLargeError(f"{size} bytes")
        ack = asyncio.get_running_loop().create_future()
        self.sent.append(Sent(topic, key, value, headers, ack))
        if self.ack_failure is not None:
            ack.set_exception(self.ack_failure)
        elif self.reject_above is not None and size > self.reject_above:
            ack.set_exception(TooLargeError(f"{size} bytes"))
        elif self.acking:
            ack.set_result(None)
        return ack

    def ack_all(self) -> None:
        """The broker acknowledges what it has."""
        for one in self.sent:
            if not one.ack.done():
                one.ack.set_result(None)

    def on(self, topic: str) -> list[Sent]:
        """What was sent to `topic`, in order."""
        return [one for one in self.sent if one.topic == topic]


@dataclass(frozen=True, slots=True)
class FakeTaken:
    """An event as the stream hands it over; acknowledging is written down."""

    record: RawRecord
    acked: list[int]
    generation: int = 1

    def ack(self) -> None:
        """Write the offset down."""
        self.acked.append(self.record.offset)
