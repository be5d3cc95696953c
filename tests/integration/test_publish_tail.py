"""`weir publish` and `weir tail` against the embedded broker, as a person would run them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ops.cli import app
from ops.local.errors import LocalStackError
from ops.local.mock_cluster import MockCluster
from ops.samples import load_samples
from ops.samples.sample import EVENTS

pytestmark = pytest.mark.integration


@pytest.fixture
def bootstrap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A broker of our own, named by the environment."""
    monkeypatch.setenv("WEIR_HOME", str(tmp_path))
    with MockCluster({"content.incoming": 2, "content.verdicts": 2}) as cluster:
        monkeypatch.setenv("WEIR_KAFKA_BOOTSTRAP", cluster.bootstrap)
        yield cluster.bootstrap


def weir(monkeypatch: pytest.MonkeyPatch, *words: str, stdin: str | None = None) -> Result:
    """The command with these words; an error of a dependency comes back as an exception."""
    monkeypatch.setattr("sys.argv", ["weir", *words])  # the command loads what is named there
    return CliRunner().invoke(app, list(words), input=stdin)


def test_samples_are_published_and_seen_again(monkeypatch: pytest.MonkeyPatch, bootstrap: str) -> None:
    """Every sample that goes in can be tailed from the beginning, with its bytes untouched and nothing shown."""
    samples = load_samples()
    sent = weir(monkeypatch, "publish", str(EVENTS), "--json")
    assert sent.exit_code == 0, sent.output
    assert json.loads(sent.stdout)["published"] == len(samples)
    words = ("tail", "incoming", "--from-beginning", "--max", str(len(samples)), "--timeout", "10", "--json")
    seen = weir(monkeypatch, *words, "--content")
    assert seen.exit_code == 0, seen.output
    records = [json.loads(line) for line in seen.stdout.splitlines()]
    assert sorted(record["bytes"] for record in records) == sorted(len(sample.value or b"") for sample in samples)


def test_bad_lines_are_left_out_and_exit_with_one(monkeypatch: pytest.MonkeyPatch, bootstrap: str) -> None:
    """A bad line is reported by number; the good ones are published all the same."""
    done = weir(monkeypatch, "publish", "-", "--json", stdin='{"id": 1, "text": "a"}\n{"id": 2, "txt": "b"}\n')
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert told["published"] == 1
    assert told["rejected"][0]["line"] == 2


def test_lines_never_show_content(monkeypatch: pytest.MonkeyPatch, bootstrap: str) -> None:
    """The lines of `weir tail` name ids and kinds, not what was said."""
    weir(monkeypatch, "publish", "-", stdin='{"id": "greeting", "text": "wonderful morning"}\n')
    seen = weir(monkeypatch, "tail", "incoming", "--from-beginning", "--max", "1", "--timeout", "10")
    assert "greeting" in seen.stdout
    assert "1 text" in seen.stdout
    assert "wonderful" not in seen.stdout


def test_too_few_records_in_time_are_a_no(monkeypatch: pytest.MonkeyPatch, bootstrap: str) -> None:
    """`--max` with `--timeout` is a question, and silence answers it with exit code 1."""
    assert weir(monkeypatch, "tail", "verdicts", "--max", "1", "--timeout", "0.2").exit_code == 1


def test_no_broker_is_a_missing_dependency(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a broker the error says where it looked and what to do."""
    monkeypatch.setenv("WEIR_HOME", str(tmp_path))
    monkeypatch.setenv("WEIR_KAFKA_BOOTSTRAP", "127.0.0.1:9")
    done = weir(monkeypatch, "publish", "-", stdin='{"id": 1, "text": "a"}\n')
    assert isinstance(done.exception, LocalStackError)
    assert "127.0.0.1:9" in str(done.exception)


def test_a_missing_file_is_wrong_use(monkeypatch: pytest.MonkeyPatch, bootstrap: str, tmp_path: Path) -> None:
    """A file that cannot be read is the caller's mistake: exit code 2."""
    assert weir(monkeypatch, "publish", str(tmp_path / "none.jsonl")).exit_code == 2
