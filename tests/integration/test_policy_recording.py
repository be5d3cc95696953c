"""A real worker records to Parquet; what it wrote replays, through a kill -9 of the process that judges."""

from __future__ import annotations

import asyncio
import contextlib
import json
from contextlib import aclosing
from pathlib import Path

import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner

from ops.bench.worker_process import WorkerProcess
from ops.commands.policy import app
from ops.local.broker import EmbeddedBroker
from ops.local.process import wait_until
from streams.adapters.kafka import read_records
from streams.core.wire import encode_event
from tests.factories import an_event
from tests.policy_folders import a_rule, files_of
from tests.stub_triton import RELEASE, StubTriton

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def publish(bootstrap: str, topic: str, numbers: range) -> None:
    """Events that no list knows, with a word that must be in no recording."""
    producer = Producer({"bootstrap.servers": bootstrap})
    for n in numbers:
        event = an_event("a verysecretword", event_id=f"event-{n}")
        producer.produce(topic, encode_event(event), b"k")
    assert producer.flush(30) == 0


async def judged(bootstrap: str, topic: str, count: int) -> None:
    """Return once there are `count` verdicts."""
    async with asyncio.timeout(90), aclosing(read_records(bootstrap, topic, from_beginning=True)) as records:
        seen = 0
        async for _ in records:
            seen += 1
            if seen == count:
                return


def write_folder(folder: Path, when: str) -> Path:
    """A folder with one rule."""
    for name, raw in files_of(a_rule(when=when)).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(raw)
    return folder


def lines_of(folder: Path) -> int:
    """How many bytes of recordings were flushed."""
    with contextlib.suppress(OSError):
        return sum(p.stat().st_size for p in folder.glob("*.part"))
    return 0


async def test_what_a_worker_recorded_replays(
    embedded_broker: EmbeddedBroker, tmp_path: Path, unique_topic: str
) -> None:
    """Every event once, with the release that judged it; what was flushed before kill -9 is there, too."""
    bootstrap, prefix, recordings = embedded_broker.bootstrap, f"{unique_topic}.", tmp_path / "recordings"
    with StubTriton() as stub:
        env = {
            "WEIR_KAFKA_BOOTSTRAP": bootstrap,
            "WEIR_TRITON_URL": stub.grpc_url,
            "WEIR_TOPIC_PREFIX": prefix,
            "WEIR_GROUP": prefix,
            "WEIR_COUNTERS": "false",
            "WEIR_WORKER_ID": "recording-worker",
            "WEIR_RECORD": str(recordings),
            "WEIR_RECORD_SHARE": "1",
            "WEIR_RECORD_FORMAT": "parquet",
        }
        with WorkerProcess(tmp_path / "home", env) as worker:
            publish(bootstrap, f"{prefix}incoming", range(20))
            await judged(bootstrap, f"{prefix}verdicts", 20)
            assert await asyncio.to_thread(wait_until, lambda: lines_of(recordings) > 0, 30)
            await asyncio.sleep(3)  # past the next flush: everything so far is on disk
            worker.kill_child()
            publish(bootstrap, f"{prefix}incoming", range(20, 30))
            await judged(bootstrap, f"{prefix}verdicts", 30)
            assert worker.stop() == 0
    tables = sorted(p.name for p in recordings.iterdir())
    assert tables
    assert all(name.endswith(".parquet") for name in tables)
    old = write_folder(tmp_path / "old", "score.hate >= 0.9999")
    new = write_folder(tmp_path / "new", "score.hate >= 0.0001")
    told = CliRunner().invoke(app, ["replay", str(old), str(new), str(recordings), "--json"])
    assert told.exit_code == 0, told.output
    found = json.loads(told.output)
    assert found["unreadable_lines"]["count"] == 0
    assert found["events"] >= 30
    assert found["stricter"] == found["events"]
    content = b"".join((recordings / name).read_bytes() for name in tables)
    assert b"verysecretword" not in content
    assert_release(recordings / tables[0])


def assert_release(table: Path) -> None:
    """The rows say which release judged."""
    parquet = pytest.importorskip("pyarrow.parquet")
    models = parquet.read_table(table, columns=["models"]).column("models").to_pylist()
    release, _, _tier = RELEASE.decode().partition(" ")
    assert all(json.loads(one) == {"clip_safety": release} for one in models)
