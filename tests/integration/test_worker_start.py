"""A worker that cannot begin must end, so that its supervisor and its operator see it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops.local.broker import EmbeddedBroker
from streams.worker import EXIT_CRASHED

pytestmark = pytest.mark.integration

_BROKEN = """
from streams.settings import Settings
from streams.worker import run

async def broken(*_):
    raise RuntimeError("cannot be built")

raise SystemExit(run(Settings(), moderator=broken))
"""


@pytest.mark.parametrize("consumer", ["direct", "agent"])
def test_a_worker_that_cannot_be_built_ends(
    embedded_broker: EmbeddedBroker, tmp_path: Path, unique_topic: str, consumer: str
) -> None:
    """It does not stay in the group looking alive, by either consumer."""
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("WEIR_")},
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "WEIR_HOME": str(tmp_path),
        "WEIR_KAFKA_BOOTSTRAP": embedded_broker.bootstrap,
        "WEIR_TRITON_URL": "127.0.0.1:9",
        "WEIR_TOPIC_PREFIX": f"{unique_topic}.",
        "WEIR_GROUP": unique_topic,
        "WEIR_CONSUMER": consumer,
    }
    done = subprocess.run(
        [sys.executable, "-c", _BROKEN], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == EXIT_CRASHED
    assert "RuntimeError" in done.stderr
