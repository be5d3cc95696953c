"""`weir judge` as a script uses it: lines in, one answer per line out, in order."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.exits import MISUSED, NO, OK
from ops.replay.read import Faults, read_recordings
from policies.engine.taxonomy import CATEGORIES
from tests.factories import a_picture
from tests.stub_triton import StubTriton

pytestmark = pytest.mark.integration

POLICY = """\
policy: own
version: "1"
owner: tests@example.com
references: ["test"]
rules:
  - id: own.marked
    category: harassment
    severity: 4
    mode: enforce
    when: {all: ["surface == 'marked'"]}
    then: {action: block, reason: MARKED}
    evidence: "marked"
tests:
  - {name: marked, event: {surface: marked}, expect: {action: block, rules: [own.marked]}}
"""


@pytest.fixture(scope="module")
def stub() -> Iterator[StubTriton]:
    """A stand-in for Triton."""
    with StubTriton() as running:
        yield running


@pytest.fixture
def environment(stub: StubTriton, tmp_path: Path) -> dict[str, str]:
    """Only the address of the stand-in is set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WEIR_")}
    return {**kept, "WEIR_HOME": str(tmp_path / "home"), "WEIR_TRITON_URL": stub.grpc_url, "COLUMNS": "200"}


def judge(*arguments: str, env: dict[str, str], stdin: str = "", cwd: Path | None = None) -> Any:
    """Run the command."""
    env = {**env, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    return subprocess.run(
        [sys.executable, "-m", "ops.cli", "judge", *arguments],
        env=env,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        timeout=120,
    )


def test_every_line_has_its_answer_in_its_place(environment: dict[str, str]) -> None:
    """Many batches, broken lines among good ones: order, line numbers, all categories, exit code 1 for the broken."""
    lines = [json.dumps({"id": str(n), "text": f"post {n}"}) if n % 7 else "{broken" for n in range(1, 101)]
    done = judge("-", "--json", env=environment, stdin="\n".join(lines))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == NO
    assert len(answers) == 100
    for number, answer in enumerate(answers, 1):
        if number % 7 == 0:
            assert answer["line"] == number
            assert "not JSON" in answer["error"]
            continue
        assert answer["content_id"] == str(number)
        assert [category["name"] for category in answer["categories"]] == list(CATEGORIES)
        for category in answer["categories"]:
            assert (category["score"] is None) == category["abstained"]


def test_pictures_come_from_paths_and_data_urls(environment: dict[str, str], tmp_path: Path) -> None:
    """A path is relative to where the command runs; a picture that is not there is an error on its line."""
    (tmp_path / "a.png").write_bytes(a_picture())
    url = "data:image/png;base64," + base64.b64encode(a_picture()).decode()
    lines = [json.dumps({"id": str(n), "image": image}) for n, image in enumerate(["a.png", url, "gone.png"])]
    done = judge("-", "--json", env=environment, stdin="\n".join(lines), cwd=tmp_path)
    first, second, third = (json.loads(line) for line in done.stdout.splitlines())
    assert done.returncode == NO
    assert not first["degraded"]
    assert not second["degraded"]
    assert "gone.png" in third["error"]


def test_the_same_input_gives_the_same_output(environment: dict[str, str]) -> None:
    """Byte for byte: nothing of the clock is in it."""
    stdin = "\n".join(json.dumps({"id": str(n), "text": f"post {n}", "created_at": 5}) for n in range(20))
    first, second = (judge("-", "--json", env=environment, stdin=stdin) for _ in range(2))
    assert first.returncode == OK
    assert first.stdout == second.stdout


def test_own_policies_decide(environment: dict[str, str], tmp_path: Path) -> None:
    """`--policies` replaces the bundled ones; people read one line per post."""
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "own.yaml").write_text(POLICY, encoding="utf-8")
    (tmp_path / "posts.jsonl").write_text('{"id": "1", "text": "x", "surface": "marked"}\n{"id": "2", "text": "x"}\n')
    done = judge(str(tmp_path / "posts.jsonl"), "--policies", str(folder), env=environment)
    first, second = done.stdout.splitlines()
    assert done.returncode == OK
    assert first.split()[:2] == ["block", "1"]
    assert "own.marked" in first
    assert second.split()[:2] == ["allow", "2"]


def test_broken_policies_are_misuse(environment: dict[str, str], tmp_path: Path) -> None:
    """Before anything is judged: file, line and what is wrong."""
    (tmp_path / "bad.yaml").write_text("policy: x\n", encoding="utf-8")
    done = judge("-", "--policies", str(tmp_path), env=environment, stdin='{"id": "1", "text": "x"}')
    assert done.returncode == MISUSED
    assert "bad.yaml" in done.stderr
    assert done.stdout == ""


def test_no_input_is_no_output(environment: dict[str, str]) -> None:
    """An empty file is fine."""
    done = judge("-", "--json", env=environment)
    assert (done.returncode, done.stdout) == (OK, "")


def test_judging_records_when_asked(environment: dict[str, str], tmp_path: Path) -> None:
    """In the form that a worker writes; without the text."""
    folder = tmp_path / "recordings"
    recording = {"WEIR_RECORD": str(folder), "WEIR_RECORD_SHARE": "1", "WEIR_RECORD_FORMAT": "parquet"}
    done = judge("-", env={**environment, **recording}, stdin='{"id": "1", "text": "verysecret"}')
    assert done.returncode == OK, done.stderr
    (table,) = folder.iterdir()
    faults = Faults()
    (found,) = read_recordings(table, faults)
    assert faults.count == 0
    assert found.subject.content_id == "1"
    assert b"verysecret" not in table.read_bytes()
