"""Session-wide servers for integration and contract tests; registered as a plugin by tests/conftest.py.

One of each per session: tests use topic names of their own (`unique_topic`) and never stop these servers.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.local.broker import EmbeddedBroker
from ops.local.kafka import RealKafka
from ops.local.triton import EmbeddedTriton, TritonOptions
from tests.integration.echo_model import ECHO_MODEL, write_echo_repository


@pytest.fixture(scope="session")
def embedded_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """Librdkafka's mock cluster in a process of its own."""
    with EmbeddedBroker(tmp_path_factory.mktemp("embedded-broker")) as broker:
        yield broker


@pytest.fixture(scope="session")
def real_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKafka]:
    """One broker of real Apache Kafka; fails (never skips) without Java or Maven."""
    with RealKafka(tmp_path_factory.mktemp("real-kafka")) as kafka:
        yield kafka


@pytest.fixture(scope="session")
def echo_triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedTriton]:
    """The bundled Triton server with a model that gives back what it gets; needs no weights."""
    home = tmp_path_factory.mktemp("echo-triton")
    repository = write_echo_repository(home / "repository")
    with EmbeddedTriton(home, repository, TritonOptions(model=ECHO_MODEL)) as triton:
        yield triton


@pytest.fixture(scope="session")
def model_repository() -> Path:
    """The assembled model repository, in the user's own home so that parts are fetched once."""
    from ops.local.assembled import assembled_repository
    from ops.targets import read_settings

    return assembled_repository(read_settings().home, lambda _text: None)


@pytest.fixture(scope="session")
def embedded_triton(tmp_path_factory: pytest.TempPathFactory, model_repository: Path) -> Iterator[EmbeddedTriton]:
    """The bundled Triton server with the assembled ensemble."""
    with EmbeddedTriton(tmp_path_factory.mktemp("embedded-triton"), model_repository) as triton:
        yield triton


@pytest.fixture
def unique_topic() -> str:
    """A topic name that no other test uses."""
    return f"t-{uuid.uuid4().hex[:12]}"
