"""How fast recorded events go through two bundles: `python -m ops.bench.policy_replay --events 200000 --json`.

Makes synthetic recordings (seeded; scores, lists, outages, labels, 48 hours, six locales), writes them as JSON lines
into a temporary folder, and replays them through the shipped library and a stricter copy of it. Reading is included.
The same again from the table that a worker would make of them, which has no labels.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import msgspec

import policies
from ops.replay.compare import replay_frames
from ops.replay.read import Faults, read_frames
from policies import MODEL_SIGNALS, PolicyBundle, load_files
from policies.engine.loader import read_files
from policies.engine.recording import write_recording
from policies.engine.signals import Catalogue, MissingSignal, SignalSet, SignalStatus
from policies.engine.subject import Subject
from policies.engine.taxonomy import CATEGORIES
from streams.adapters.recording_parquet import write_table

LEAST_S: Final = 0.01  # below this a CPU clock says nothing, and may say 0
START_S: Final = 1_795_435_200.0
_LOCALES: Final = ("en-US", "en-GB", "de-DE", "es-MX", "zh-CN", "pt-BR")
_SURFACES: Final = ("feed", "feed", "feed", "dm", "live_tv", "market", "avatar")
_DOWN: Final = MissingSignal(SignalStatus.FAILED, "the model is down")


@dataclass
class ReplayBench:
    """The figures."""

    name: str = "replay"
    ratio: float = 0.0  # to the goal
    ours: float = 0.0
    reference: float = 1_000_000.0
    unit: str = "events/minute of one core"
    events: int = 0
    seconds: float = 0.0
    parquet: float = 0.0  # events a minute from a table
    changed: int = 0
    bytes: int = 0


def random_recordings(count: int, seed: int) -> Iterator[tuple[Subject, SignalSet, dict[str, bool]]]:
    """Events as a platform has them: mostly harmless, a few not, one in fifty while the model is down."""
    dice = random.Random(seed)  # noqa: S311  # a seeded bench, no secret
    scored = [c for c in CATEGORIES if c != "sexual_minors"]
    for n in range(count):
        subject = Subject(
            event_id=f"e{n}",
            content_id=f"c{n}",
            kind=dice.choice(("post", "post", "comment", "message", "prompt")),
            surface=dice.choice(_SURFACES),
            locale=dice.choice(_LOCALES),
            tenant=dice.choice((None, None, "acme")),
            created_at=START_S + n * 172_800 / count,
            author_id=f"a{dice.randrange(500)}",
            author_created_at=START_S - dice.expovariate(1 / 3e7),
            author_verified=dice.choice((None, False, True)),
            author_kind=dice.choice((None, "person", "news")),
            audience_minors=dice.choice((None, False, True)),
            quoted=dice.choice((None, None, False, True)),
        )
        signals = SignalSet(tier="reference", models={"clip_safety": "bench"})
        for name in (
            "slurs",
            "insults",
            "reclaimed",
            "violent-threats",
            "scam-phrases",
            "prompt-attack",
            "sexual-explicit",
        ):
            hits = 1 if dice.random() < 0.05 else 0
            signals.values[f"list.{name}.hits"] = hits + (dice.random() < 0.01)
        signals.values["list.minors-sexual.hits"] = int(dice.random() < 0.001)
        labels: dict[str, bool] = {}
        down = dice.random() < 0.02
        for category in scored:
            score = dice.betavariate(0.5, 4) if dice.random() < 0.9 else dice.betavariate(4, 2)
            for suffix in ("", ".text", ".image", ".joint"):
                if down:
                    signals.missing[f"score.{category}{suffix}"] = _DOWN
                elif suffix != ".image" or n % 3 == 0:
                    signals.values[f"score.{category}{suffix}"] = min(1.0, score * dice.uniform(0.8, 1.1))
            if n % 20 == 0:
                labels[category] = dice.random() < score
        yield subject, signals, labels


def write_recordings(path: Path, count: int, seed: int) -> int:
    """The recordings as JSON lines; how many bytes."""
    with path.open("wb") as file:
        for subject, signals, labels in random_recordings(count, seed):
            line = write_recording(subject, signals)
            file.write(msgspec.json.encode({**line, "labels": labels}) + b"\n")
    return path.stat().st_size


def two_bundles() -> tuple[PolicyBundle, PolicyBundle]:
    """The library, and a copy with a lower point and one rule less."""
    files = read_files(Path(policies.__file__).parent / "library") or {}
    other = dict(files)
    other["hate.yaml"] = files["hate.yaml"].replace(b"mid: 0.75, high: 0.92", b"mid: 0.70, high: 0.90")
    other["weapons.yaml"] = files["weapons.yaml"].replace(b"mode: shadow\n    expires: 2027-06-30", b"mode: enforce")
    known = Catalogue.of(MODEL_SIGNALS)
    return load_files(files, known), load_files(other, known)


def run(events: int, seed: int = 1) -> ReplayBench:
    """Make, replay, count."""
    old, new = two_bundles()
    made = ReplayBench(events=events)
    with tempfile.TemporaryDirectory(prefix="weir-replay-") as folder:
        path = Path(folder) / "recordings.jsonl"
        made.bytes = write_recordings(path, events, seed)
        started = time.process_time()
        names = old.program.signals | new.program.signals
        found = replay_frames(old, new, read_frames([path], names, old.catalogue, faults=Faults()))
        made.seconds = round(max(time.process_time() - started, LEAST_S), 2)
        table = Path(folder) / "recordings.parquet"
        with path.open("rb") as lines:
            write_table(table, lines)
        started = time.process_time()
        again = replay_frames(old, new, read_frames([table], names, old.catalogue, faults=Faults()))
        made.parquet = round(events / max(time.process_time() - started, LEAST_S) * 60)
    if again.changed != found.changed:
        raise RuntimeError("the same events from lines and from a table give different replays")
    made.changed = found.changed
    made.ours = round(events / made.seconds * 60)
    made.ratio = round(made.ours / made.reference, 3)
    return made


def main() -> int:
    """Run from the command line; 1 when the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    made = run(given.events)
    print(json.dumps(asdict(made), indent=None if given.json else 2))
    return 0 if made.ratio >= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
