"""The seams: what the pipeline needs from outside, as protocols. Adapters and detectors implement them."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Protocol

from policies import PolicyBundle
from policies.engine.signals import SignalSet, SignalSpec
from policies.engine.subject import Subject
from streams.core.bank_index import Prints
from streams.core.events import ContentEvent, ImagePart
from streams.core.outcome import Headers


class Clock(Protocol):
    """Time, as an argument."""

    def time(self) -> float:
        """Seconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds that only grow; for durations and deadlines."""


class MediaUnavailableError(Exception):
    """A picture could not be had. `code` is fixed and safe to log; the message never holds the URI."""

    def __init__(self, code: str, why: str, *, transient: bool = False) -> None:
        super().__init__(why)
        self.code = code
        self.why = why
        self.transient = transient


class MediaFetcher(Protocol):
    """Media by reference."""

    async def fetch(self, uri: str) -> bytes:
        """The bytes behind `uri`; MediaUnavailableError when the scheme, host, size or the source forbids it."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture, decoded for the model."""

    pixels: bytes  # contract.IMAGE_BYTES of uint8 RGB
    ocr_pixels: bytes | None = None  # larger, with contract.OCR_HEADER; None where text in pictures is not read


class PictureReader(Protocol):
    """Image parts as pixels."""

    async def read(self, part: ImagePart) -> Picture:
        """The picture; MediaUnavailableError when it cannot be fetched or decoded."""


class PrintReader(Protocol):
    """Image parts as fingerprints."""

    async def prints(self, part: ImagePart, *, look: bool) -> Prints:
        """The picture's prints, with PDQ when `look`; MediaUnavailableError when its bytes cannot be had."""


class ModelUnavailableError(Exception):
    """The model gave no answer. `timeout` tells a passed deadline from a failure."""

    def __init__(self, why: str, *, timeout: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.timeout = timeout


@dataclass(frozen=True, slots=True)
class ModelItem:
    """One text with at most one image, as the served model takes it; None means not there."""

    text: str | None
    image: bytes | None  # contract.IMAGE_BYTES of uint8 RGB
    ocr_image: bytes | None = None


@dataclass(frozen=True, slots=True)
class ModelOpinion:
    """The model's answer about one item, in plain values; None means abstained.

    Each `scores` row is one of contract.ROWS, its entries follow contract.LABELS.
    """

    scores: dict[str, tuple[float | None, ...]]
    severity: tuple[int | None, ...]
    joint: tuple[float | None, float | None, float | None]
    disagreement: tuple[float | None, ...]
    member_status: dict[str, str]
    release: str
    tier: str


class ModelClient(Protocol):
    """The served ensemble."""

    async def infer(self, items: Sequence[ModelItem], *, timeout_s: float) -> list[ModelOpinion]:
        """One opinion per item, in order; ModelUnavailableError when there is none in time."""


class Recorder(Protocol):
    """Keeps what judgements were made from, for replays."""

    def record(self, subject: Subject, signals: SignalSet) -> None:
        """Take note of one judged event; never blocks, never raises."""


class Detector(Protocol):
    """A family of signals. A new one is a new file and one line in `app.py`."""

    @property
    def name(self) -> str:
        """Short and constant: the owner in the catalogue, a metric label."""

    @property
    def provides(self) -> Sequence[SignalSpec]:
        """Every signal it may set."""

    async def detect(self, batch: Sequence[ContentEvent], *, timeout_s: float) -> list[SignalSet]:
        """One signal set per event, in order. What cannot be told is a missing signal with its reason."""


class DeclaredDetector(Protocol):
    """A family of signals whose names the policies declare: hash banks, counters."""

    def bound_to(self, bundle: PolicyBundle) -> Detector:
        """The detector of what this bundle declares. Cheap: a batch asks once, so that it is judged by one bundle."""


class PolicySource(Protocol):
    """Where the policies in force come from."""

    def current(self) -> PolicyBundle:
        """The bundle to judge by now. Cheap; a batch asks once and keeps what it got."""


class TooLargeError(Exception):
    """The producer or the broker finds a record larger than it accepts."""


class Outbox(Protocol):
    """Where records are published."""

    async def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> Awaitable[object]:
        """Hand a record to the producer, in order. The awaitable ends with the broker's ack or its error.

        TooLargeError, from the call or from the awaitable, when the record is too large for producer or broker.
        """
