"""Random and mutated records through decoding: only EventDecodeError may come out, in bounded time and memory.

`python -m ops.bench.decode_fuzz --records 200000 --seed 1 --json`. Seeded: the same seed gives the same records.
The records are made here and never written anywhere.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.progress import track

from streams.core.outcome import EventDecodeError, RawRecord
from streams.core.wire import DECODE_CODES, decode_event

_JSON: Final = (("content-type", b"application/json"),)
_SCHEMAS: Final = (b"weir.event/1", b"weir.event/1.9", b"weir.event/2", b"weir.verdict/1", b"\xff", b"")
_TYPES: Final = (b"application/json", b"application/msgpack", b"text/plain", b"\xff;", b"")
#: Msgpack heads that announce something: containers, strings, bytes and extensions of 1, 2 and 4 length bytes.
_HEADS: Final = b"\xc1\xc4\xc5\xc6\xc7\xc8\xc9\xd4\xd8\xd9\xda\xdb\xdc\xdd\xde\xdf\x8f\x9f\xbf\xff\xcf\xcb"
_JSON_BITS: Final = (b'"', b"\\", b"[", b"{", b"}", b"]", b",", b":", b"\\ud800", b"1e999", b"null", b"\xff", b"\x00")


@dataclass
class Report:
    """What came of the records."""

    records: int = 0
    events: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    bytes: int = 0
    max_ms: float = 0.0  # of this thread's CPU
    max_ms_bytes: int = 0  # length of the slowest record
    total_s: float = 0.0
    rss_growth_mib: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether decoding was total."""
        return not self.failures


def good_trees(rng: random.Random) -> dict[str, Any]:
    """A valid event with a random choice of the optional fields."""
    parts: list[dict[str, Any]] = [{"type": "text", "text": "".join(chr(rng.randrange(32, 0x3000)) for _ in range(40))}]
    if rng.random() < 0.4:
        parts.append({"type": "image", "bytes": rng.randbytes(rng.randrange(200)), "media_type": "image/png"})
    if rng.random() < 0.2:
        parts.append({"type": "video", "uri": "file:///v.mp4"})
    tree: dict[str, Any] = {"event_id": "e", "content_id": "c", "kind": "post", "created_at": rng.random() * 2e9}
    tree["parts"] = parts
    optional: dict[str, Any] = {
        "author": {"id": "a", "verified": True},
        "surface": "feed",
        "locale": "de-AT",
        "audience": {"minors": False, "size": rng.randrange(1000)},
        "context": {"parent_id": "p", "quoted": None},
        "labels": {"k": "v"},
        "unknown": {"x": [1, 2.5, None, {"y": "z"}]},
    }
    tree.update({name: value for name, value in optional.items() if rng.random() < 0.5})
    return tree


def _random_bytes(rng: random.Random) -> RawRecord:
    return _record(rng.randbytes(rng.choice((0, 1, 7, 60, 400, 3_000))), rng)


def _random_msgpack(rng: random.Random) -> RawRecord:
    """Bytes that are dense in msgpack heads."""
    pool = bytes(rng.choices(_HEADS + b"\x81\x91\xa1\xc0\xc2\x00", k=rng.randrange(1, 300)))
    return _record(b"\x81\xa5parts" + pool if rng.random() < 0.5 else pool, rng)


def _mutated_msgpack(rng: random.Random) -> RawRecord:
    return _record(_mutated(msgspec.msgpack.encode(good_trees(rng)), rng, [bytes([b]) for b in _HEADS]), rng)


def _mutated_json(rng: random.Random) -> RawRecord:
    raw = _mutated(msgspec.json.encode(good_trees(rng)), rng, list(_JSON_BITS))
    return RawRecord("fuzz", 0, 0, None, raw, _JSON)


def _wrong_types(rng: random.Random) -> RawRecord:
    """A valid tree with one value replaced by another type, size or nesting."""
    tree = good_trees(rng)
    odd: tuple[Any, ...] = (
        None,
        True,
        -1,
        2**63,
        1.5,
        float("nan"),
        "",
        "x" * 300,
        b"\xff",
        [],
        [[]],
        {},
        {"type": "text"},
        ["a"] * 99,
    )
    target = rng.choice([tree, tree["parts"][0], tree.get("author", tree)])
    target[rng.choice(list(target))] = rng.choice(odd)
    if rng.random() < 0.5:
        return _record(msgspec.msgpack.encode(tree), rng)
    return RawRecord("fuzz", 0, 0, None, msgspec.json.encode(tree), _JSON)


def _hostile(rng: random.Random) -> RawRecord:
    """Few bytes that ask for much: nesting, lying lengths, floods of empty containers, JSON of mere structure."""
    size = rng.choice((10, 1_000, 20_000))
    start = b"\x81" + msgspec.msgpack.encode(rng.choice(("parts", "labels", "unknown", "event_id")))
    shapes: tuple[Callable[[], RawRecord], ...] = (
        lambda: _record(start + b"\x91" * size + b"\xc0", rng),
        lambda: _record(start + b"\x81\xa1a" * size + b"\xc0", rng),
        lambda: _record(start + rng.choice((b"\xdd", b"\xdf", b"\xdb", b"\xc6")) + rng.randbytes(4), rng),
        lambda: _record(start + b"\xdd" + size.to_bytes(4, "big") + b"\x80" * size, rng),
        lambda: RawRecord("fuzz", 0, 0, None, b'{"unknown":' + b"[" * size, _JSON),
        lambda: RawRecord("fuzz", 0, 0, None, b'{"labels":{' + b'"a":"",' * size + b'"b":""}}', _JSON),
        lambda: RawRecord("fuzz", 0, 0, None, b'{"parts":[' + b'{"type":"text","text":""},' * size, _JSON),
        lambda: RawRecord("fuzz", 0, 0, None, b'{"event_id":"' + b'\\",' * size, _JSON),
    )
    return rng.choice(shapes)()


KINDS: Final[dict[str, Callable[[random.Random], RawRecord]]] = {
    "random bytes": _random_bytes,
    "random msgpack": _random_msgpack,
    "mutated msgpack": _mutated_msgpack,
    "mutated json": _mutated_json,
    "wrong types": _wrong_types,
    "hostile": _hostile,
}


def _mutated(raw: bytes, rng: random.Random, bits: list[bytes]) -> bytes:
    """One to four changes: cut, flip, drop, double, or a piece put in."""
    out = bytearray(raw)
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(out) + 1)
        change = rng.randrange(5)
        if change == 0:
            del out[at:]
        elif change == 1 and at < len(out):
            out[at] ^= 1 << rng.randrange(8)
        elif change == 2:
            del out[at : at + rng.randrange(1, 9)]
        elif change == 3:
            out[at:at] = out[at : at + rng.randrange(1, 40)]
        else:
            out[at:at] = rng.choice(bits)
    return bytes(out)


def _record(value: bytes, rng: random.Random) -> RawRecord:
    headers = [("content-type", rng.choice(_TYPES))] if rng.random() < 0.2 else []
    if rng.random() < 0.2:
        headers.append(("schema", rng.choice(_SCHEMAS)))
    return RawRecord("fuzz", 0, 0, None, value, tuple(headers))


def records(count: int, seed: int) -> Iterator[RawRecord]:
    """`count` records, the kinds in turn."""
    rng = random.Random(seed)  # noqa: S311  # reproducible on purpose
    kinds = list(KINDS.values())
    for number in range(count):
        yield kinds[number % len(kinds)](rng)


def fuzz(count: int, seed: int, *, quiet: bool = True) -> Report:
    """Decode `count` records and say what happened."""
    report = Report()
    for record in records(min(count, 2_000), seed):  # what is allocated once is not growth
        _decode(record, Report())
    before = _peak_rss_mib()
    for record in track(records(count, seed), total=count, description="decode", console=_console(), disable=quiet):
        _decode(record, report)
    report.rss_growth_mib = round(_peak_rss_mib() - before, 1)
    return report


def _decode(record: RawRecord, report: Report) -> None:
    started = time.thread_time()
    try:
        decode_event(record)
        report.events += 1
    except EventDecodeError as exc:
        report.codes[exc.code] += 1
        if exc.code not in DECODE_CODES:
            report.failures.append(f"unknown code {exc.code}")
    except Exception as exc:  # noqa: BLE001  # finding these is what this is for
        report.failures.append(f"{type(exc).__name__} on {(record.value or b'')[:60].hex()}…")
    took_ms = (time.thread_time() - started) * 1e3
    size = len(record.value or b"")
    report.records += 1
    report.bytes += size
    report.total_s += took_ms / 1e3
    if took_ms > report.max_ms:
        report.max_ms, report.max_ms_bytes = took_ms, size


def _peak_rss_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _console() -> Console:
    return Console(stderr=True)


def main(argv: list[str] | None = None) -> int:
    """The command; 1 when anything but EventDecodeError came out."""
    parser = argparse.ArgumentParser(prog="python -m ops.bench.decode_fuzz", description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    report = fuzz(options.records, options.seed, quiet=not _console().is_terminal)
    told = {
        "name": "decode",
        "ratio": (report.records - len(report.failures)) / max(1, report.records),
        "ours": report.records - len(report.failures),
        "reference": report.records,
        "unit": "records decoded or refused with a reason",
        "seed": options.seed,
        "records": report.records,
        "events": report.events,
        "refused": dict(report.codes.most_common()),
        "failures": report.failures[:20],
        "mib": round(report.bytes / 2**20, 1),
        "max_ms": round(report.max_ms, 2),
        "max_ms_bytes": report.max_ms_bytes,
        "mean_us": round(report.total_s / max(1, report.records) * 1e6, 2),
        "rss_growth_mib": report.rss_growth_mib,
        "passed": report.passed,
    }
    print(json.dumps(told) if options.json else "\n".join(f"{name:>16}  {value}" for name, value in told.items()))
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
