"""The `weir policy` commands: texts, files and exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

from typer.testing import CliRunner

from ops.commands.policy import app
from tests.policy_folders import a_rule, files_of

RUNNER = CliRunner()

TESTS = """
tests:
  - {name: hit, signals: {score.hate: 0.8}, expect: {action: limit, rules: [sample.rule]}}
  - {name: miss, signals: {score.hate: 0.7}, expect: {action: allow}}
"""


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    """The bundle's files on disk."""
    for name, raw in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    return folder


def test_check_speaks_to_people_and_to_scripts(tmp_path: Path) -> None:
    """Exit code 1 for an error, 0 for advice unless --strict; SARIF and JSON carry places."""
    good = write_folder(tmp_path / "good", files_of(more=TESTS))
    bad = write_folder(tmp_path / "bad", files_of(a_rule(when="score.hat >= 0.5")))
    fine = RUNNER.invoke(app, ["check", str(good)])
    assert fine.exit_code == 0
    assert "1 rules, 1 lists, 0 error(s)" in fine.output
    assert RUNNER.invoke(app, ["check", str(good), "--strict"]).exit_code == 1
    report = tmp_path / "x.sarif"
    refused = RUNNER.invoke(app, ["check", str(bad), "--json", "--sarif", str(report)])
    assert refused.exit_code == 1
    problem = json.loads(refused.output)["problems"][0]
    assert (problem["line"], problem["code"], problem["hint"]) == (12, "UNKNOWN-SIGNAL", "did you mean 'score.hate'?")
    region = json.loads(report.read_text())["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 12, "startColumn": 18}
    assert RUNNER.invoke(app, ["check", str(tmp_path / "none")]).exit_code == 2


def test_a_single_file_is_checked_within_its_folder(tmp_path: Path) -> None:
    """Its lists are known, and only its own problems are shown."""
    other = files_of(a_rule(when="score.hat >= 0.5"))["sample.yaml"].replace(b"sample", b"other")
    folder = write_folder(tmp_path / "p", {**files_of(a_rule(when="list.slurs.hits >= 1")), "other.yaml": other})
    assert RUNNER.invoke(app, ["check", str(folder / "other.yaml")]).exit_code == 1
    told = RUNNER.invoke(app, ["check", str(folder / "sample.yaml"), "--json"])
    assert told.exit_code == 0
    assert json.loads(told.output)["problems"] == []


def test_test_writes_junit_and_gates(tmp_path: Path) -> None:
    """A rule in force without examples fails the gate only when it is asked for."""
    folder = write_folder(tmp_path / "p", files_of(a_rule(), a_rule("sample.b", when="score.drugs >= 0.5"), more=TESTS))
    report = tmp_path / "junit.xml"
    assert RUNNER.invoke(app, ["test", str(folder), "--junit", str(report)]).exit_code == 0
    assert RUNNER.invoke(app, ["test", str(folder), "--gate"]).exit_code == 1
    suite = ET.parse(report).getroot()
    assert suite.get("tests") == "4"
    assert [c.get("name") for c in suite if c.find("failure") is not None] == ["sample.b"]


def test_explain_reads_a_line_with_text(tmp_path: Path) -> None:
    """The lists really read it."""
    folder = write_folder(tmp_path / "p", files_of(a_rule(when="list.slurs.hits >= 1"), more=""))
    event = json.dumps({"text": "a badword", "locale": "en", "signals": {}})
    told = RUNNER.invoke(app, ["explain", "-", "--policies", str(folder)], input=event)
    assert told.exit_code == 0, told.output
    assert "sample.rule: matched → limit" in told.output
    assert "if list.slurs.hits had been 0 instead of 1: allow" in told.output
    assert RUNNER.invoke(app, ["explain", "-", "--policies", str(folder)], input="nonsense").exit_code == 2


def test_explain_picks_one_of_many_lines(tmp_path: Path) -> None:
    """By either id; without one it says how many there are."""
    folder = write_folder(tmp_path / "p", files_of())
    lines = tmp_path / "verdicts.jsonl"
    verdicts = [{"event_id": f"{n}:x", "content_id": str(n), "signals": {"score.hate": n / 10}} for n in (1, 9)]
    lines.write_text("".join(json.dumps(one) + "\n" for one in verdicts))
    words = ["explain", str(lines), "--policies", str(folder)]
    for wanted in ("9", "9:x"):
        told = RUNNER.invoke(app, [*words, "--event", wanted])
        assert told.exit_code == 0, told.output
        assert "is 0.9" in told.output
    for more, why in (([], "2 lines; say which with --event ID"), (["--event", "7"], "no line has the event_id")):
        told = RUNNER.invoke(app, [*words, *more])
        assert told.exit_code == 2
        assert why in told.output


def test_diff_prints_markdown_for_a_comment(tmp_path: Path) -> None:
    """And says by its exit code that there is something, when asked."""
    old = write_folder(tmp_path / "old", files_of())
    new = write_folder(tmp_path / "new", files_of(a_rule(severity="5")))
    told = RUNNER.invoke(app, ["diff", str(old), str(new), "--markdown", "--exit-code"])
    assert told.exit_code == 1
    assert "| stricter | rule `sample.rule` | severity: 3 → 5 |" in told.output
    assert RUNNER.invoke(app, ["diff", str(old), str(old), "--exit-code"]).exit_code == 0


def test_catalogue_lists_signals_of_every_source() -> None:
    """Detectors, the event, the lists."""
    told = RUNNER.invoke(app, ["catalogue", "--json"])
    names = {spec["name"] for spec in json.loads(told.output)}
    assert {"score.hate", "surface", "list.slurs.hits", "hash.known.hits"} <= names


def test_init_makes_a_folder_that_is_fine(tmp_path: Path) -> None:
    """It checks, its tests pass, and nothing is overwritten."""
    folder = tmp_path / "mine"
    assert RUNNER.invoke(app, ["init", str(folder)]).exit_code == 0
    assert RUNNER.invoke(app, ["check", str(folder), "--strict"]).exit_code == 0
    assert RUNNER.invoke(app, ["test", str(folder), "--gate"]).exit_code == 0
    assert RUNNER.invoke(app, ["init", str(folder)]).exit_code == 2
    whole = tmp_path / "library"
    assert RUNNER.invoke(app, ["init", str(whole), "--library"]).exit_code == 0
    assert RUNNER.invoke(app, ["check", str(whole), "--strict"]).exit_code == 0


def test_the_guide_s_rule_and_tests_are_right(tmp_path: Path) -> None:
    """What a newcomer copies from policies/README.md checks and passes."""
    import policies

    guide = (Path(policies.__file__).parent / "README.md").read_text(encoding="utf-8")
    blocks = [b.partition("```")[0] for b in guide.split("```yaml\n")[1:]]
    folder = tmp_path / "mine"
    RUNNER.invoke(app, ["init", str(folder)])
    first = folder / "first.yaml"
    text = first.read_text(encoding="utf-8")
    first.write_text(text.replace("\ntests:\n", f"\n{blocks[0]}\ntests:\n{blocks[1]}"), encoding="utf-8")
    checked = RUNNER.invoke(app, ["check", str(folder), "--strict"])
    assert checked.exit_code == 0, checked.output
    tested = RUNNER.invoke(app, ["test", str(folder)])
    assert "5/5 tests passed, 2/2 rules hit" in tested.output
