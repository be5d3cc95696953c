"""The recorder: sampled, content-free, never in the way; its files replay."""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ops import cli
from ops.replay.read import Faults, read_recordings
from policies import event_signals
from policies.engine import recording
from streams.adapters import recorder as module
from streams.adapters import recording_parquet
from streams.adapters.policy_library import FixedPolicies
from streams.adapters.recorder import SignalRecorder, in_sample
from streams.adapters.recording_parquet import Row, finish_lines
from streams.app import build_recorder
from streams.core.subject import subject_of
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
    event = an_event("a badword", event_id="e9")
    await process(a_record(event), deps)
    recorder.flush()
    line = only_line(tmp_path)
    assert (line["event_id"], line["signals"]["list.slurs.hits"]) == ("e9", 1)
    assert event_signals(subject_of(event)).values.items() <= line["signals"].items()


def test_recording_is_off_unless_a_folder_is_set(tmp_path: Path) -> None:
    """A deployment asks for it."""
    assert build_recorder(Settings()) is None
    made = build_recorder(Settings(record=tmp_path, record_share=1.0))
    assert isinstance(made, SignalRecorder)


def tables(folder: Path) -> list[str]:
    """The event ids of all finished tables, in order."""
    faults = Faults()
    found = sorted(r.subject.event_id for r in read_recordings(folder, faults))
    assert faults.count == 0
    return found


def only_file(folder: Path) -> Path:
    """The one file that is there."""
    (found,) = folder.iterdir()
    return found


def recording_as_parquet(folder: Path, clock: ManualClock, *, worker: str = "w") -> SignalRecorder:
    """A recorder of tables."""
    return SignalRecorder(folder, 1.0, clock, worker=worker, form="parquet")


async def test_a_drained_worker_leaves_a_table_with_status_and_release(tmp_path: Path) -> None:
    """It replays with what was missing, why, and which release judged; and has no text."""
    recorder = recording_as_parquet(tmp_path, ManualClock())
    task = asyncio.create_task(recorder.run(every_s=0.01))
    signals = some_signals({"score.hate": 0.5, "image.count": 2}, failed="score.drugs")
    signals.models["ensemble"] = "release-7"
    recorder.record(a_subject("very secret", event_id="e1", author_verified=True), signals)
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    table = only_file(tmp_path)
    assert table.name.startswith("20261124T12-w-")
    (found,) = read_recordings(table, Faults())
    assert found.subject.author_verified is True
    assert found.signals.values == signals.values
    assert found.signals.missing == signals.missing
    assert found.signals.models == {"ensemble": "release-7"}
    assert b"secret" not in table.read_bytes()


def test_an_hour_that_ended_becomes_a_table(tmp_path: Path) -> None:
    """In row groups of bounded size; the new hour goes on in lines."""
    clock = ManualClock()
    recorder = recording_as_parquet(tmp_path, clock)
    for n in range(5):
        recorder.record(a_subject(event_id=f"e{n}"), some_signals())
    recorder.flush()
    clock.now_s += 3_600
    recorder.record(a_subject(event_id="later"), some_signals())
    recorder.flush()
    assert tables(tmp_path) == [f"e{n}" for n in range(5)]
    assert (tmp_path / "20261124T13-w.jsonl.gz.part").exists()
    recorder.close()
    assert len(tables(tmp_path)) == 6


def test_row_groups_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long hour is never in memory at once."""
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(recording_parquet, "ROWS", 2)
    recording_parquet.write_table(tmp_path / "t.parquet", [b'{"event_id": "e"}\n'] * 5)
    assert parquet.ParquetFile(tmp_path / "t.parquet").num_row_groups == 3


def test_a_crash_leaves_out_only_what_was_torn(tmp_path: Path) -> None:
    """The worker that comes back finishes the file before it writes a line of its own."""
    recorder = recording_as_parquet(tmp_path, ManualClock())
    for event in ("e1", "e2"):
        recorder.record(a_subject(event_id=event), some_signals())
        recorder.flush()
    part = tmp_path / "20261124T12-w.jsonl.gz.part"
    part.write_bytes(part.read_bytes()[:-12])  # kill -9 in the middle of the second write
    back = recording_as_parquet(tmp_path, ManualClock())
    back.record(a_subject(event_id="e3"), some_signals())
    back.close()
    assert set(tables(tmp_path)) - {"e2"} == {"e1", "e3"}


def test_a_file_finished_twice_is_one_table(tmp_path: Path) -> None:
    """A crash between the new file's name and the old one's removal, or two workers at it."""
    recorder = recording_as_parquet(tmp_path, ManualClock())
    recorder.record(a_subject(event_id="e1"), some_signals())
    recorder.flush()
    part = tmp_path / "20261124T12-w.jsonl.gz.part"
    shutil.copy(part, tmp_path / "copy")
    finish_lines(part, "20261124T12-w")
    shutil.copy(tmp_path / "copy", part)
    finish_lines(part, "20261124T12-w")
    (tmp_path / "copy").unlink()
    assert tables(tmp_path) == ["e1"]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_dead_workers_file_is_finished_by_another(tmp_path: Path) -> None:
    """Once nobody wrote to it for two hours; a living neighbour's is left alone."""
    clock = ManualClock()
    for worker, age_s in (("dead", 7_300.0), ("alive", 60.0)):
        other = recording_as_parquet(tmp_path, clock, worker=worker)
        other.record(a_subject(event_id=worker), some_signals())
        other.flush()
        os.utime(tmp_path / f"20261124T12-{worker}.jsonl.gz.part", (NOON_S - age_s, NOON_S - age_s))
    recording_as_parquet(tmp_path, clock).flush()
    assert tables(tmp_path) == ["dead"]


def test_what_fits_no_column_stays_lines(tmp_path: Path) -> None:
    """An hour is never lost, and the worker never stops, for one odd number."""
    recorder = recording_as_parquet(tmp_path, ManualClock())
    recorder.record(a_subject(event_id="odd", audience_size=2**63), some_signals())
    recorder.close()
    assert only_file(tmp_path).name == "20261124T12-w.jsonl.gz"
    assert tables(tmp_path) == ["odd"]


def test_a_torn_file_of_lines_replays_up_to_the_tear(tmp_path: Path) -> None:
    """And says so."""
    recorder = SignalRecorder(tmp_path, 1.0, ManualClock(), worker="w")
    for event in ("e1", "e2"):
        recorder.record(a_subject(event_id=event), some_signals())
        recorder.flush()
    recorder.close()
    path = tmp_path / "20261124T12-w.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-12])
    faults = Faults()
    found = [r.subject.event_id for r in read_recordings(path, faults)]
    assert found[0] == "e1"
    assert faults.count >= 1
    assert "torn" in faults.examples[-1]


def test_a_tables_columns_are_a_recordings_keys() -> None:
    """A fact that is added there must be added here."""
    assert set(Row.__struct_fields__) == {*recording._FACTS, "tier", "signals", "status", "why", "models"}


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything starts; the command line makes exit code 3 of a package that is not there."""
    monkeypatch.setattr(recording_parquet, "find_spec", lambda _name: None)
    with pytest.raises(ModuleNotFoundError, match=r"weir\[record\]") as caught:
        build_recorder(Settings(record=tmp_path, record_format="parquet"))
    assert cli._EXTRA_OF[str(caught.value.name)] == "record"
