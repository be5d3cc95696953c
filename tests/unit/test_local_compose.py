"""docker-compose.yml and its Dockerfiles agree with the code, are pinned, and give away no more than they must."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from ops.docker.without import main as filter_lock
from ops.docker.without import without
from ops.local.kafka_jars import POM
from ops.local.topics import DEADLETTER_MAX_BYTES
from ops.local.triton_files import shared_memory_mib
from streams.settings import Settings
from triton_models.contract import MODEL_NAME

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
LONG_RUNNING = ("kafka", "triton", "worker")
ONCE = ("topics", "models")
DOCKERFILES = sorted((ROOT / "ops" / "docker").glob("*.Dockerfile"))
MIB = {"mb": 1, "gb": 1024}


def dockerfile(name: str) -> str:
    """The text of a Dockerfile, continued lines joined."""
    return (ROOT / "ops" / "docker" / f"{name}.Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")


def test_services_are_those_of_the_design() -> None:
    """Kafka, Triton and a worker run; topics and model are made once before them."""
    assert SERVICES.keys() == {*LONG_RUNNING, *ONCE}


@pytest.mark.parametrize("name", [*LONG_RUNNING, *ONCE])
def test_no_service_can_gain_rights(name: str) -> None:
    """Every service drops all capabilities and cannot gain new privileges; none is privileged or in the host's net."""
    service = SERVICES[name]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["cap_drop"] == ["ALL"]
    assert not service.keys() & {"privileged", "network_mode", "pid", "ipc", "cap_add", "devices"}


@pytest.mark.parametrize("name", [name for name in (*LONG_RUNNING, *ONCE) if name != "kafka"])
def test_our_images_have_a_read_only_root(name: str) -> None:
    """What we build writes to its volumes and to a tmpfs only; Kafka's image writes its configuration at start."""
    assert SERVICES[name]["read_only"] is True
    assert "/tmp" in SERVICES[name]["tmpfs"]


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_long_running_services_are_watched(name: str) -> None:
    """Each has a health check with limits, restarts, and bounded logs."""
    service = SERVICES[name]
    assert service["healthcheck"].keys() == {"test", "interval", "timeout", "retries", "start_period"}
    assert service["restart"] == "unless-stopped"
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


@pytest.mark.parametrize("name", ONCE)
def test_one_off_services_end(name: str) -> None:
    """Topics and model are made once and not restarted for ever."""
    assert SERVICES[name]["restart"] == "no"


def test_ports_are_published_on_loopback() -> None:
    """Nothing is reachable from another machine."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 4
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_order_of_starting() -> None:
    """The worker waits for topics and a ready model, Triton for the assembled model; all names exist."""
    waits = {
        (name, other): rule["condition"]
        for name, service in SERVICES.items()
        for other, rule in service.get("depends_on", {}).items()
    }
    assert waits == {
        ("topics", "kafka"): "service_healthy",
        ("triton", "models"): "service_completed_successfully",
        ("worker", "topics"): "service_completed_successfully",
        ("worker", "triton"): "service_healthy",
    }


def test_volumes_are_declared_and_model_is_read_only_for_triton() -> None:
    """Only the service that assembles may write to the model repository; policies are read only."""
    assert COMPOSE["volumes"].keys() == {"kafka-data", "model-repository"}
    (models,) = SERVICES["models"]["volumes"]
    (served,) = SERVICES["triton"]["volumes"]
    (policies,) = SERVICES["worker"]["volumes"]
    assert models.split(":")[0] == served["source"] == "model-repository"
    assert served["read_only"] is True
    assert policies["read_only"] is True
    assert policies["target"] == SERVICES["worker"]["environment"]["WEIR_POLICIES"]


def test_model_is_served_from_where_it_is_assembled() -> None:
    """`weir model assemble` fills `$WEIR_HOME/repository`: that folder, on its mount, is what Triton serves."""
    home = SERVICES["models"]["environment"]["WEIR_HOME"]
    assert SERVICES["models"]["volumes"] == [f"model-repository:{home}"]
    mount = SERVICES["triton"]["volumes"][0]["target"]
    assert f'"--model-repository={mount}/repository"' in dockerfile("triton")
    assert f'"--load-model={MODEL_NAME}"' in dockerfile("triton")
    assert any(f"/v2/models/{MODEL_NAME}/ready" in part for part in SERVICES["triton"]["healthcheck"]["test"])


def test_shared_memory_is_enough_for_triton() -> None:
    """Thirty-two cores, and so as many instances, may read pictures at the same time."""
    size = re.fullmatch(r"(\d+)(mb|gb)", SERVICES["triton"]["shm_size"])
    assert size is not None
    assert int(size[1]) * MIB[size[2]] >= shared_memory_mib("instance_group [ { count: 32 kind: KIND_CPU } ]")


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "kafka"])
def test_every_variable_is_a_setting(name: str) -> None:
    """A misspelt WEIR_ variable would be ignored silently by the worker: each must be a setting."""
    known = {f"WEIR_{field.upper()}" for field in Settings.model_fields}
    assert SERVICES[name].get("environment", {}).keys() <= known


def test_kafka_is_the_version_that_tests_run_on() -> None:
    """The image and the pom name the same Kafka."""
    version = ET.fromstring(POM.read_text(encoding="utf-8")).findtext("properties/kafka.version")
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version}"


def test_kafka_takes_the_largest_dead_letter() -> None:
    """The broker's limit is above the largest topic's."""
    assert int(SERVICES["kafka"]["environment"]["KAFKA_MESSAGE_MAX_BYTES"]) > DEADLETTER_MAX_BYTES


def test_worker_has_time_to_drain() -> None:
    """The grace time before SIGKILL is longer than the worker's own drain."""
    drain_s = Settings.model_fields["drain_s"].default
    assert int(SERVICES["worker"]["stop_grace_period"].removesuffix("s")) > drain_s


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_images_are_pinned_and_not_root(path: Path) -> None:
    """Every base image has an exact tag, packages come from the lock with hashes, and the user is not root."""
    text = dockerfile(path.stem)
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert bases
    assert all(re.search(r":\d+\.\d+", base) for base in bases), bases
    assert re.findall(r"^USER (\S+)", text, re.MULTILINE)[-1] == "10001:10001"
    assert "--require-hashes" in text
    assert "ENTRYPOINT" in text


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_what_is_copied_is_there_and_not_ignored(path: Path) -> None:
    """Each file that a Dockerfile copies exists and is let through by its ignore file."""
    text = dockerfile(path.stem)
    allowed = {
        line.removeprefix("!")
        for line in path.with_name(f"{path.name}.dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists(), source
            assert source == "." or any(source == one or source.startswith(f"{one}/") for one in allowed), source
    assert all((ROOT / one).exists() for one in allowed)


def test_lock_without_a_package() -> None:
    """A left-out package goes with its hashes; its neighbours and one whose name begins alike stay."""
    lock = ["a==1 \\\n", "    --hash=sha256:1\n", "a_b==2 ; x \\\n", "    --hash=sha256:2\n", "a-b-c==3\n"]
    assert list(without(lock, {"a-b"})) == [lock[0], lock[1], lock[4]]


def test_real_lock_without_the_bundled_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The build's filter works on the real lock: one pin fewer, every other pin with a hash."""
    lock = (ROOT / "ops" / "constraints" / "run.txt").read_text(encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", io.StringIO(lock))
    assert filter_lock(["nvidia-pytriton"]) == 0
    left = capsys.readouterr().out
    assert len(re.findall(r"^\S+==", lock, re.MULTILINE)) - 1 == len(re.findall(r"^\S+==", left, re.MULTILINE))
    assert "pytriton" not in left
    assert all(
        "--hash=sha256:" in block for block in re.split(r"^(?=\S+==)", left, flags=re.MULTILINE) if "==" in block
    )


def test_package_that_is_not_in_the_lock_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """When the lock no longer has the package, the build fails rather than filter nothing."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("a==1\n"))
    assert filter_lock(["gone"]) == 2
    assert "not in the lock: gone" in capsys.readouterr().err
