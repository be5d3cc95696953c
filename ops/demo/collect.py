"""Puts together what was published and what came back: each sample, its ack, and its verdict or dead letter.

Pure: records and times come in as arguments. An answer may be seen before the ack of its event; both orders are fine.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from ops.lines import header_text
from ops.report import DeadLetterRow, EventRow, blurred_thumbnail
from ops.samples import MEDIA, Sample, mask_text
from streams.core.events import ContentEvent, ImagePart, TextPart
from streams.core.outcome import EventDecodeError, RawRecord
from streams.core.wire import decode_event, decode_verdict

Row = EventRow | DeadLetterRow
SHOWN_TEXTS = 2
SHOWN_PICTURES = 4


@dataclass(frozen=True, slots=True)
class _Sent:
    index: int
    at: float


class Collector:
    """Matches answers to samples by where their events stand in the topic."""

    def __init__(self, samples: Sequence[Sample], topic: str) -> None:
        self._samples = samples
        self._topic = topic
        self._sent: dict[str, _Sent] = {}
        self._early: dict[str, tuple[RawRecord, float]] = {}
        self.rows: dict[int, Row] = {}  # by index of the sample
        self.repeats = 0
        self.strangers = 0  # answers to events that are not ours, or that cannot be read

    @property
    def complete(self) -> bool:
        """Whether every sample has its answer."""
        return len(self.rows) == len(self._samples)

    def acked(self, index: int, partition: int, offset: int, at: float) -> Row | None:
        """Sample `index` stands at `partition`/`offset` since `at`; its row, when its answer was here first."""
        source = f"{self._topic}/{partition}/{offset}"
        self._sent[source] = _Sent(index, at)
        early = self._early.pop(source, None)
        return self.answered(*early) if early else None

    def answered(self, record: RawRecord, at: float) -> Row | None:
        """The row that `record`, a verdict or dead letter that arrived at `at`, completes; None when it does not."""
        source = source_of(record)
        sent = self._sent.get(source)
        if sent is None:
            self._early.setdefault(source, (record, at))
            return None
        if sent.index in self.rows:
            self.repeats += 1
            return None
        row = self._row(sent, record, at)
        if row is None:
            self.strangers += 1
            return None
        self.rows[sent.index] = row
        return row

    def unanswered(self) -> list[Sample]:
        """The samples without an answer."""
        return [sample for index, sample in enumerate(self._samples) if index not in self.rows]

    def surprises(self) -> list[str]:
        """Samples whose answer is not the expected kind, in words."""
        found = []
        for index, row in sorted(self.rows.items()):
            sample = self._samples[index]
            got = row.code if isinstance(row, DeadLetterRow) else "verdict"
            wanted = sample.expect.code if sample.expect.outcome == "deadletter" else "verdict"
            if got != wanted:
                found.append(f"{sample.id} ({sample.note}): expected {wanted}, got {got}")
        return found

    def _row(self, sent: _Sent, record: RawRecord, at: float) -> Row | None:
        sample = self._samples[sent.index]
        if record.header("weir-code") is not None:
            return dead_letter_row(sent.index + 1, sample.note, record)
        try:
            verdict = decode_verdict(record.value or b"")
            event = decode_event(sample.record())
        except (msgspec.DecodeError, EventDecodeError):
            return None
        return EventRow(
            number=sent.index + 1,
            note=sample.note,
            source=sample.source,
            verdict=verdict,
            texts=masked_texts(event),
            thumbnails=thumbnails(event),
            latency_ms=max(0.0, at - sent.at) * 1e3,
            timings_ms=timings(record),
        )


def source_of(record: RawRecord) -> str:
    """`topic/partition/offset` of the event that this verdict or dead letter answers."""
    if record.header("weir-code") is None:
        return header_text(record, "weir-source")
    return "/".join(header_text(record, f"__connect.errors.{name}") for name in ("topic", "partition", "offset"))


def dead_letter_row(number: int, note: str, record: RawRecord) -> DeadLetterRow:
    """A dead letter as the report shows it."""
    code = header_text(record, "weir-code")
    return DeadLetterRow(
        number=number,
        note=note,
        code=code,
        detail=header_text(record, "__connect.errors.exception.message").removeprefix(f"{code}: "),
        fault=header_text(record, "weir-fault"),
        where=source_of(record),
        size_bytes=len(record.value or b""),
    )


def timings(record: RawRecord) -> dict[str, float]:
    """The worker's own timings; empty when the header is not there or not readable."""
    try:
        told = json.loads(record.header("weir-timings-ms") or b"{}")
        return {str(name): float(ms) for name, ms in told.items()}
    except (ValueError, AttributeError, TypeError):
        return {}


def masked_texts(event: ContentEvent) -> tuple[str, ...]:
    """The first texts of the event, masked."""
    return tuple(mask_text(part.text) for part in event.parts if isinstance(part, TextPart))[:SHOWN_TEXTS]


def thumbnails(event: ContentEvent) -> tuple[str, ...]:
    """Blurred thumbnails of the event's pictures; empty ones for what cannot be read."""
    images = [part for part in event.parts if isinstance(part, ImagePart)][:SHOWN_PICTURES]
    return tuple(
        blurred_thumbnail(part.data if part.data is not None else _sample_media(part.uri or "")) for part in images
    )


def _sample_media(uri: str) -> bytes:
    """The bytes of one of the samples' own files; nothing else is read."""
    parts = urlsplit(uri)
    path = Path(unquote(parts.path))
    if parts.scheme != "file" or path.parent.resolve() != MEDIA.resolve():
        return b""
    try:
        return path.read_bytes()
    except OSError:
        return b""
