"""The recorder: sampled, content-free, never in the way; its files replay."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ops.replay.read import Faults, read_recordings
from streams.adapters import recorder as module
from streams.adapters.policy_library import FixedPolicies
from streams.adapters.recorder import SignalRecorder, in_sample
from streams.app import build_recorder
from streams.pipeline import Deps, process
from streams.settings import Settings
from tests.factories import a_record, an_event
from tests.policy_folders import NOON_S, a_bundle_of, a_subject, some_signals


class ManualClock:
    """Time that only the test moves."""

    def __init__(self) -> None:
        """Start at noon."""
        self.now_s = NOON_S

    def time(self) -> float:
        """Seconds since the epoch."""
        return self.now_s

    def monotonic(self) -> float:
        """The same."""
        return self.now_s


def recorded(folder: Path) -> list[str]:
    """The event ids of all finished files, in order."""
    faults = Faults()
    found = [r.subject.event_id for path in sorted(folder.glob("*.gz")) for r in read_recordings(path, faults)]
    assert faults.count == 0
    return found


def only_line(folder: Path) -> dict[str, Any]:
    """The one recording of the one file."""
    (part,) = folder.iterdir()
    made: dict[str, Any] = msgspec.json.decode(gzip.decompress(part.read_bytes()))
    return made


async def test_what_is_recorded_can_be_replayed_and_holds_no_text(tmp_path: Path) -> None:
    """Cancelling finishes the file."""
    recorder = SignalRecorder(tmp_path, 1.0, ManualClock(), worker="host-1")
    task = asyncio.create_task(recorder.run(every_s=0.01))
    recorder.record(a_subject("very secret", event_id="e1"), some_signals({"score.hate": 0.5}, failed="score.drugs"))
    await asyncio.sleep(0.05)
    recorder.record(a_subject("more secrets", event_id="e2"), some_signals())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert recorded(tmp_path) == ["e1", "e2"]
    assert b"secret" not in gzip.decompress((tmp_path / "20261124T12-host-1.jsonl.gz").read_bytes())


def test_each_hour_has_its_file_and_a_restart_adds_to_it(tmp_path: Path) -> None:
    """The one being written is marked, and nothing is lost when a worker comes back within the hour."""
    clock = ManualClock()
    for event in ("e1", "e2"):
        recorder = SignalRecorder(tmp_path, 1.0, clock, worker="w")
        recorder.record(a_subject(event_id=event), some_signals())
        recorder.flush()
    assert [p.name for p in tmp_path.iterdir()] == ["20261124T12-w.jsonl.gz.part"]
    clock.now_s += 3_600
    later = SignalRecorder(tmp_path, 1.0, clock, worker="w")
    later.record(a_subject(event_id="e3"), some_signals())
    later.flush()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["20261124T12-w.jsonl.gz", "20261124T13-w.jsonl.gz.part"]
    assert recorded(tmp_path) == ["e1", "e2"]


def test_the_sample_is_by_content_and_about_the_share() -> None:
    """The same content is always in, or always out."""
    inside = sum(in_sample(f"c{n}", 0.1) for n in range(5_000))
    assert 400 < inside < 600
    assert in_sample("c1", 0.5) == in_sample("c1", 0.5)
    assert in_sample("anything", 1.0)
    assert not in_sample("anything", 0.0)


def test_a_full_memory_and_a_full_disk_cost_recordings_not_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are counted."""
    monkeypatch.setattr(module, "MAX_WAITING", 2)
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    recorder = SignalRecorder(blocked, 1.0, ManualClock(), worker="w")
    for _ in range(3):
        recorder.record(a_subject(), some_signals())
    recorder.flush()
    assert recorder.left_out == 3


def test_old_files_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only this worker's."""
    monkeypatch.setattr(module, "MAX_FILES", 2)
    for hour in ("01", "02", "03"):
        (tmp_path / f"20261124T{hour}-w.jsonl.gz").write_bytes(b"")
    (tmp_path / "20261124T00-other.jsonl.gz").write_bytes(b"")
    SignalRecorder(tmp_path, 1.0, ManualClock(), worker="w").flush()
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["20261124T00-other.jsonl.gz", "20261124T02-w.jsonl.gz", "20261124T03-w.jsonl.gz"]


async def test_the_pipeline_hands_every_judgement_to_the_recorder(tmp_path: Path) -> None:
    """With the event's own signals and the lists', as the policies saw them."""
    recorder = SignalRecorder(tmp_path, 1.0, ManualClock(), worker="w")
    deps = Deps([], FixedPolicies(a_bundle_of()), ManualClock(), 5.0, recorder=recorder)
    await process(a_record(an_event("a badword", event_id="e9")), deps)
    recorder.flush()
    line = only_line(tmp_path)
    assert (line["event_id"], line["signals"]["list.slurs.hits"], line["signals"]["kind"]) == ("e9", 1, "post")


def test_recording_is_off_unless_a_folder_is_set(tmp_path: Path) -> None:
    """A deployment asks for it."""
    assert build_recorder(Settings()) is None
    made = build_recorder(Settings(record=tmp_path, record_share=1.0))
    assert isinstance(made, SignalRecorder)
