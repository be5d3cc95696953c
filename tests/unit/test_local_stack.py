"""The background stack: order of starting, roll-back, what is external, and how it is shown."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from ops.local import services, stack
from ops.local.errors import LocalStackError
from ops.local.process import ProcessId
from ops.local.services import Health, KafkaKind, Service, health
from ops.local.show import show
from ops.local.stack import StackOptions
from ops.local.state import RunFolder, ServiceState
from ops.local.topics import TopicSpec


class FakeServices:
    """In place of the real starts and stops: records the calls and keeps state files of this very process."""

    def __init__(self, home: Path) -> None:
        self.calls: list[str] = []
        self.worker_env: Mapping[str, str] = {}
        self.fails: Service | None = None
        self._run = RunFolder(home)

    def start(self, service: Service, addresses: Mapping[str, str]) -> ServiceState:
        """The state file of a service that seems to run, or the failure asked for."""
        self.calls.append(f"start {service}")
        if self.fails is service:
            raise LocalStackError(f"{service} does not start")
        me = ProcessId.of(os.getpid())
        assert me is not None
        state = ServiceState(service, "fake", (me,), addresses, (), 1.0)
        self._run.write(state)
        return state

    def start_kafka(
        self, _home: Path, _kind: KafkaKind, _topics: Sequence[TopicSpec], *, brokers: int = 1
    ) -> ServiceState:
        """A Kafka that seems to run."""
        return self.start(Service.KAFKA, {"bootstrap": f"kafka:{brokers}"})

    def start_triton(self, _home: Path, repository: Callable[[], Path]) -> ServiceState:
        """A Triton that seems to run."""
        return self.start(Service.TRITON, {"grpc": str(repository()), "http": "h", "model": "m"})

    def start_worker(self, _home: Path, env: Mapping[str, str], *, drain_s: float = 0) -> ServiceState:
        """A worker that seems to run."""
        self.worker_env = {**env, "drain": str(drain_s)}
        return self.start(Service.WORKER, {})

    def stop_service(self, _home: Path, service: Service) -> bool:
        """Forgets it."""
        self.calls.append(f"stop {service}")
        was_there = self._run.read(service) is not None
        self._run.remove(service)
        return was_there


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeServices:
    """The stack with fake services."""
    made = FakeServices(tmp_path)
    for name in ("start_kafka", "start_triton", "start_worker", "stop_service"):
        monkeypatch.setattr(stack, name, getattr(made, name))
    return made


def options(home: Path, *, kafka_bootstrap: str = "", triton_url: str = "") -> StackOptions:
    """A stack in this home."""
    return StackOptions(home, lambda: Path("repo"), kafka_bootstrap=kafka_bootstrap, triton_url=triton_url, drain_s=7)


def quiet(_text: str) -> None:
    """Tells nobody."""


def test_starts_in_order_and_tells_the_worker_where(tmp_path: Path, fake: FakeServices) -> None:
    """Kafka, then Triton, then the worker with both addresses."""
    found = stack.up(options(tmp_path), quiet)
    assert fake.calls == ["start kafka", "start triton", "start worker"]
    assert (found.kafka_bootstrap, found.triton_url) == ("kafka:1", "repo")
    assert fake.worker_env == {"WEIR_KAFKA_BOOTSTRAP": "kafka:1", "WEIR_TRITON_URL": "repo", "drain": "7"}


def test_what_a_failed_start_began_is_ended(tmp_path: Path, fake: FakeServices) -> None:
    """When the worker does not start, Triton and Kafka are stopped again, in reverse order."""
    fake.fails = Service.WORKER
    with pytest.raises(LocalStackError, match="worker does not start"):
        stack.up(options(tmp_path), quiet)
    assert fake.calls[3:] == ["stop worker", "stop triton", "stop kafka"]


def test_what_ran_before_survives_a_failed_start(tmp_path: Path, fake: FakeServices) -> None:
    """A Kafka that was already there is not stopped because Triton fails."""
    fake.start_kafka(tmp_path, KafkaKind.REAL, ())
    fake.fails = Service.TRITON
    with pytest.raises(LocalStackError):
        stack.up(options(tmp_path), quiet)
    assert "stop kafka" not in fake.calls
    assert "stop triton" in fake.calls


def test_external_servers_are_used_and_not_started(tmp_path: Path, fake: FakeServices) -> None:
    """Addresses that are given make their services someone else's business."""
    stack.up(options(tmp_path, kafka_bootstrap="k:1", triton_url="t:2"), quiet)
    assert fake.calls == ["start worker"]
    assert fake.worker_env["WEIR_KAFKA_BOOTSTRAP"] == "k:1"
    assert fake.worker_env["WEIR_TRITON_URL"] == "t:2"


def test_down_stops_the_worker_first(tmp_path: Path, fake: FakeServices) -> None:
    """The worker drains while its servers still run; what was not there is not reported as stopped."""
    fake.start_kafka(tmp_path, KafkaKind.REAL, ())
    fake.start_worker(tmp_path, {})
    fake.calls.clear()
    told: list[str] = []
    assert stack.down(tmp_path, told.append) == [Service.WORKER, Service.KAFKA]
    assert fake.calls == ["stop worker", "stop triton", "stop kafka"]
    assert told == ["stopping worker", "stopping kafka"]


def test_status_of_nothing_is_down(tmp_path: Path) -> None:
    """In an empty home nothing runs, and asking creates no file."""
    assert [one.state for one in stack.status(tmp_path)] == ["down", "down", "down"]
    assert list(tmp_path.iterdir()) == []


def test_status_of_external_servers_asks_them(tmp_path: Path) -> None:
    """An external address that does not answer is unwell, not down: it is not ours to start."""
    kafka, triton, worker = stack.status(tmp_path, kafka_bootstrap="127.0.0.1:1", triton_url="127.0.0.1:1")
    assert (kafka.state, kafka.kind, triton.state, worker.state) == ("unwell", "external", "unwell", "down")


def test_crashed_service_is_down_with_its_reason(tmp_path: Path) -> None:
    """A state file whose process is gone is told as a crash, not as never started."""
    dead = ProcessId(os.getpid(), "another start")
    RunFolder(tmp_path).write(ServiceState("worker", "worker", (dead,), {}, ("/w.log",), 1.0))
    told = health(tmp_path, Service.WORKER)
    assert told.state == "down"
    assert "gone" in told.note
    assert told.logs == ("/w.log",)


def test_living_process_that_does_not_answer_is_unwell(tmp_path: Path) -> None:
    """A process alone is not health: Kafka must answer, and Triton's model must be ready."""
    me = ProcessId.of(os.getpid())
    assert me is not None
    run = RunFolder(tmp_path)
    run.write(ServiceState("kafka", "real", (me,), {"bootstrap": "127.0.0.1:1"}, (), 1.0))
    run.write(ServiceState("triton", "embedded", (me,), {"http": "127.0.0.1:1", "model": "m"}, (), 1.0))
    assert health(tmp_path, Service.KAFKA).note == "0 of 1 brokers answer"
    assert health(tmp_path, Service.TRITON).note == "model m is not ready"


def test_another_kind_of_kafka_is_refused(tmp_path: Path) -> None:
    """Asking for the real Kafka while the embedded broker runs is an error, not a silent answer with the other."""
    me = ProcessId.of(os.getpid())
    assert me is not None
    RunFolder(tmp_path).write(ServiceState("kafka", "embedded", (me,), {"bootstrap": "b"}, (), 1.0))
    with pytest.raises(LocalStackError, match="another kind runs here"):
        services.start_kafka(tmp_path, KafkaKind.REAL, ())


@pytest.mark.parametrize(("state", "well"), [("running", True), ("unwell", False), ("down", False)])
def test_json_says_whether_all_runs(capsys: pytest.CaptureFixture[str], state: str, well: bool) -> None:  # noqa: FBT001
    """`running` is true only when every service is well."""
    show([Health(Service.KAFKA, "running"), Health(Service.WORKER, state)], as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["running"] is well
    assert [one["service"] for one in told["services"]] == ["kafka", "worker"]


def test_table_names_addresses_and_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    """A person sees where a service is, and where to read why another is not well."""
    well = Health(Service.KAFKA, "running", "real", {"bootstrap": "127.0.0.1:9"}, (1,), 1.0)
    ill = Health(Service.TRITON, "unwell", "embedded", {"grpc": "g"}, (2,), 1.0, ("/t.log",), "model m is not ready")
    show([well, ill], as_json=False)
    out = capsys.readouterr().out
    assert "127.0.0.1:9" in out
    assert "triton: model m is not ready; log: /t.log" in out
