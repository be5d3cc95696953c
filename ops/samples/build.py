"""Builds the sample events from the licensed sets and from our own texts; its output is committed.

    python -m ops.samples.build --data FOLDER

FOLDER holds the sets (`text/davidson/…`, `images/noto_emoji/…`). Needed only to change the samples: reading them needs
nothing but the package. The same data gives the same bytes.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import msgpack

from ops.samples.attribution import attribution
from ops.samples.catalogue import Catalogue, Made
from ops.samples.malformed import MSGPACK, broken
from ops.samples.sample import EVENTS, FOLDER, MEDIA, MEDIA_MARK, Expectation, Sample, to_json

MAX_TOTAL_BYTES = 3 * 1024 * 1024  # the samples ride in the wheel


def main(argv: list[str]) -> int:
    """Write events.jsonl, the media folder and ATTRIBUTION.md."""
    parser = argparse.ArgumentParser(prog="python -m ops.samples.build", description="Build the sample events.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the licensed sets")
    data: Path = parser.parse_args(argv).data
    if not (data / "text/davidson").is_dir():
        print(f"{data} holds no text/davidson: give the folder of the licensed sets", file=sys.stderr)
        return 2
    catalogue = Catalogue(data)
    samples = list(build(catalogue))
    EVENTS.write_text("".join(f"{_line(sample)}\n" for sample in samples), encoding="utf-8")
    (FOLDER / "ATTRIBUTION.md").write_text(attribution(samples), encoding="utf-8")
    MEDIA.mkdir(exist_ok=True)
    for name, picture in catalogue.media():
        (MEDIA / name).write_bytes(picture)
    size = EVENTS.stat().st_size + sum(file.stat().st_size for file in MEDIA.iterdir())
    print(f"{len(samples)} samples, {size / 1024:.0f} kB")
    return 0 if size < MAX_TOTAL_BYTES else 1


def build(catalogue: Catalogue) -> Iterator[Sample]:
    """Every sample, good ones first, with a few broken ones among them."""
    hostile = _broken()
    for number, made in enumerate(catalogue.events(), 1):
        yield _good(made)
        if number % 4 == 0:
            yield from (sample for sample in [next(hostile, None)] if sample)
    yield from hostile


def _good(made: Made) -> Sample:
    headers = MSGPACK if made.headers is None else made.headers
    as_json = ("content-type", b"application/json") in headers
    value = (
        json.dumps(made.event, default=_base64, ensure_ascii=False).encode() if as_json else msgpack.packb(made.event)
    )
    name = str(made.event["event_id"])
    return Sample(name, made.group, made.note, made.source, _key(made), headers, value, Expectation("verdict"))


def _broken() -> Iterator[Sample]:
    for number, one in enumerate(broken(), 1):
        expect = Expectation("deadletter", one.code)
        yield Sample(
            f"sample-broken-{number:02}",
            "malformed",
            one.note,
            "weir",
            b"sample-author-odd",
            one.headers,
            one.value,
            expect,
        )


def _key(made: Made) -> bytes:
    return str(made.event["author"]["id"]).encode()


def _line(sample: Sample) -> str:
    media = MEDIA_MARK.encode() in (sample.value or b"")
    return json.dumps(to_json(sample, media=media), ensure_ascii=False)


def _base64(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(type(value).__name__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
