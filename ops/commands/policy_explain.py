"""`weir policy explain`: one judgement's whole reasoning, and the smallest change that would have changed it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from ops.commands.policy_folder import LIBRARY, Json, open_folder
from ops.exits import MISUSED
from policies import PolicyBundle, explain, scan_lists
from policies.engine.counterfactual import Change, counterfactuals
from policies.engine.explain import Explanation, Node
from policies.engine.recording import Recording, RecordingError, read_recording
from policies.engine.signals import SignalSet


def explain_file(
    file: Annotated[
        str, typer.Argument(help="JSON (or JSON lines) of an event with signals, a recording or a verdict; - reads.")
    ],
    *,
    event: Annotated[str, typer.Option("--event", help="Which of many lines: its event_id or content_id.")] = "",
    folder: Annotated[Path, typer.Option("--policies", help="The folder of policies.", show_default=False)] = LIBRARY,
    everything: Annotated[bool, typer.Option("--all", help="Also the rules that do not match.")] = False,
    as_json: Json = False,
) -> None:
    """Show every rule that stands with each comparison's value, what decided, and what would have changed it.

    Example: `echo '{"text": "hello", "locale": "en", "signals": {"score.hate": 0.8}}' | weir policy explain -`
    """
    bundle = open_folder(folder)
    recording = _read(file, event)
    signals = _signals(bundle, recording)
    made = explain(bundle, recording.subject, signals)
    changes = counterfactuals(bundle, recording.subject, signals)
    if as_json:
        typer.echo(json.dumps(_as_json(made, changes), indent=2, ensure_ascii=False))
        return
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    if recording.partial:
        console.print("[yellow]made from a verdict: signals that it does not show count as absent[/yellow]")
    for line in made.lines(everything=everything):
        console.print(escape(line))
    if not changes:
        console.print("no change of a single signal would have changed the action")
    for change in changes[:5]:
        console.print(f"[dim]{escape(str(change))}[/dim]")


def _read(file: str, event: str) -> Recording:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        return read_recording(_pick(text, event))
    except (OSError, ValueError, RecordingError) as exc:
        typer.echo(f"{file}: cannot be explained: {exc}", err=True)
        raise typer.Exit(MISUSED) from exc


def _pick(text: str, event: str) -> object:
    """The one object, or the line of that event; ValueError says what to do otherwise."""
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        found = [json.loads(text)]
    except ValueError:
        if len(lines) < 2:
            raise
        found = [json.loads(line) for line in lines]
    if event:
        found = [
            one for one in found if isinstance(one, dict) and event in (one.get("event_id"), one.get("content_id"))
        ]
        if not found:
            raise ValueError(f"no line has the event_id or content_id {event!r}")
    elif len(found) > 1:
        raise ValueError(f"{len(found)} lines; say which with --event ID (an event_id or content_id)")
    return found[-1]


def _signals(bundle: PolicyBundle, recording: Recording) -> SignalSet:
    """What was recorded, after the lists have read the text, if there is one."""
    signals = scan_lists(bundle, recording.subject.texts, recording.subject.locale)
    signals.merge(recording.signals)
    return signals


def _as_json(made: Explanation, changes: list[Change]) -> dict[str, Any]:
    return {
        "action": made.verdict.action,
        "severity": made.verdict.severity,
        "policy": made.verdict.versions.policy,
        "overrides": list(made.overrides),
        "rules": [
            {
                "rule": item.rule.id,
                "standing": item.standing,
                "action": item.rule.action.word,
                "exception": item.exception or None,
                "file": item.rule.site.file,
                "line": item.rule.site.line,
                "tree": _tree(item.node),
            }
            for item in made.rules
        ],
        "would_have_changed": [asdict(change) for change in changes],
    }


def _tree(node: Node) -> dict[str, Any]:
    made: dict[str, Any] = {"test": node.text, "truth": node.truth}
    if node.status is not None:
        made |= {"value": node.value, "status": node.status.value, "why": node.why or None}
    if node.children:
        made["children"] = [_tree(child) for child in node.children]
    return made
