"""`weir policy test`: run the policies' own examples, show what they cover, write JUnit for CI."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from xml.etree import ElementTree as ET

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops.commands.policy_folder import LIBRARY, FolderArgument, Json, open_folder
from ops.exits import NO, OK
from policies.engine.coverage import RuleCoverage, measure_coverage
from policies.engine.selftest import ExampleResult, run_examples


def run_tests(
    folder: FolderArgument = LIBRARY,
    *,
    policy: Annotated[str | None, typer.Option("--policy", help="Only this policy.")] = None,
    gate: Annotated[bool, typer.Option("--gate", help="A rule in force without a hit and a near miss fails.")] = False,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write a JUnit report here.")] = None,
    as_json: Json = False,
) -> None:
    """Run the examples of the policies; show rule and comparison coverage and the generated boundary cases.

    Examples: `weir policy test` · `weir policy test my-policies --policy spam --gate --junit report.xml`
    """
    bundle = open_folder(folder)
    now = datetime.now(UTC).timestamp()
    results = run_examples(bundle, now=now, only=policy)
    covered = [c for c in measure_coverage(bundle, results, now=now) if policy in (None, c.rule.policy)]
    failed = [r for r in results if not r.passed]
    gaps = [c for c in covered if c.rule.mode == "enforce" and not c.complete]
    broken = [c for c in covered if c.boundary_faults]
    if junit is not None:
        write_junit(junit, results, covered)
    if as_json:
        typer.echo(json.dumps(_as_json(results, covered), indent=2, ensure_ascii=False))
    else:
        _print(results, covered, gaps=gaps)
    raise typer.Exit(NO if failed or broken or (gate and gaps) else OK)


def _as_json(results: list[ExampleResult], covered: list[RuleCoverage]) -> dict[str, object]:
    return {
        "tests": len(results),
        "failed": [
            {"policy": r.example.policy, "name": r.example.name, "line": r.example.site.line, "faults": r.faults}
            for r in results
            if not r.passed
        ],
        "rules": [
            {
                "rule": c.rule.id,
                "mode": c.rule.mode,
                "hit": c.hit,
                "near_miss": c.near_miss,
                "comparisons": len(c.leaves),
                "comparisons_covered": c.leaves_covered,
                "boundary_cases": c.boundaries,
                "boundary_faults": c.boundary_faults,
            }
            for c in covered
        ],
    }


def _print(results: list[ExampleResult], covered: list[RuleCoverage], *, gaps: list[RuleCoverage]) -> None:
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    for result in results:
        if not result.passed:
            site = result.example.site
            console.print(f"[red]FAIL[/red] {site.file}:{site.line} {escape(result.example.name)}")
            for fault in result.faults:
                console.print(f"     {escape(fault)}")
    table = Table("rule", "mode", "hit", "near miss", "comparisons", "boundaries", box=None, header_style="bold")
    for item in covered:
        leaves = f"{item.leaves_covered}/{len(item.leaves)}"
        boundaries = f"{item.boundaries - len(item.boundary_faults)}/{item.boundaries}"
        table.add_row(item.rule.id, item.rule.mode, _tick(item.hit), _tick(item.near_miss), leaves, boundaries)
    console.print(table)
    for item in covered:
        for leaf in item.leaves:
            if not (leaf.seen_true and leaf.seen_false):
                never = " and ".join(w for w, s in (("true", leaf.seen_true), ("false", leaf.seen_false)) if not s)
                console.print(f"[yellow]{item.rule.id}[/yellow]: {escape(leaf.text)} was never {never}")
        for fault in item.boundary_faults:
            console.print(f"[red]{item.rule.id}[/red]: {escape(fault)}")
    passed = sum(1 for r in results if r.passed)
    hit = sum(1 for c in covered if c.hit)
    console.print(
        f"{passed}/{len(results)} tests passed, {hit}/{len(covered)} rules hit, {len(gaps)} rule(s) in force without "
        "a hit and a near miss"
    )


def _tick(good: bool) -> str:  # noqa: FBT001  # a table cell
    return "[green]yes[/green]" if good else "[yellow]no[/yellow]"


def write_junit(path: Path, results: list[ExampleResult], covered: list[RuleCoverage]) -> None:
    """One test case for each example, and one for each rule's coverage and boundaries."""
    suite = ET.Element("testsuite", name="weir policy test", tests=str(len(results) + len(covered)))
    failures = 0
    for result in results:
        site = result.example.site
        case = ET.SubElement(suite, "testcase", classname=f"policy.{result.example.policy}", name=result.example.name)
        case.set("file", site.file)
        case.set("line", str(site.line))
        if not result.passed:
            failures += 1
            ET.SubElement(case, "failure", message="; ".join(result.faults)).text = "\n".join(result.faults)
    for item in covered:
        case = ET.SubElement(suite, "testcase", classname=f"coverage.{item.rule.policy}", name=item.rule.id)
        faults = list(item.boundary_faults)
        if item.rule.mode == "enforce" and not item.complete:
            faults.append("no test hits this rule" if not item.hit else "no test nearly hits this rule")
        if faults:
            failures += 1
            ET.SubElement(case, "failure", message="; ".join(faults)).text = "\n".join(faults)
    suite.set("failures", str(failures))
    ET.indent(suite)
    ET.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
