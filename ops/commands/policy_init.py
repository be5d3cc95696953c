"""`weir policy init`: a folder of policies to start from, with the editors' schemas beside them."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copy2
from typing import Annotated, Final

import typer

from ops.commands.policy_folder import LIBRARY
from ops.exits import MISUSED
from policies.engine.editor_schema import KINDS, editor_schema

_STARTER: Final = """\
# yaml-language-server: $schema=./policy.schema.json
policy: first
version: "1"
owner: you@example.com          # who answers questions about this policy

thresholds:                     # named points: rules never carry bare scores
  harassment: {mid: 0.75}

rules:
  - id: first.insult
    title: The model sees an attack and a listed insult is present
    category: harassment
    severity: 2                 # 0 to 7
    mode: shadow                # off, shadow (only tells), enforce
    expires: 2027-12-31         # the day by which you decide
    when:
      all:
        - score.harassment >= threshold.harassment.mid
        - list.insults.hits >= 1
    then: {action: label, labels: [abusive], reason: FIRST_INSULT}
    evidence: "harassment={score.harassment:.2f}, {list.insults.hits} listed insult(s)"

tests:
  - {name: both signs, signals: {score.harassment: 0.8, list.insults.hits: 1}, expect: {shadow: [first.insult]}}
  - {name: only the model, signals: {score.harassment: 0.8, list.insults.hits: 0}, expect: {shadow: []}}
  - {name: only the word, signals: {score.harassment: 0.2, list.insults.hits: 1}, expect: {shadow: []}}
"""

_BUNDLE: Final = """\
bundle: {name}
version: "1"
owner: you@example.com
"""


def init(
    folder: Annotated[Path, typer.Argument(help="The folder to make.")],
    *,
    library: Annotated[bool, typer.Option("--library", help="Copy all ten shipped policies, not one example.")] = False,
) -> None:
    """Make a folder of policies: one example in shadow, or with --library the ten that ship with Weir.

    Example: `weir policy init my-policies`
    """
    if folder.exists() and any(folder.iterdir()):
        typer.echo(f"{folder} is not empty: nothing was written", err=True)
        raise typer.Exit(MISUSED)
    wanted = sorted(LIBRARY.rglob("*.yaml")) if library else [*(LIBRARY / "lists").glob("insults.yaml")]
    for source in [*wanted, *([] if library else [LIBRARY / "profiles.yaml"])]:
        target = folder / source.relative_to(LIBRARY)
        target.parent.mkdir(parents=True, exist_ok=True)
        copy2(source, target)
    for kind in KINDS:
        text = json.dumps(editor_schema(kind), indent=2, ensure_ascii=False)
        (folder / f"{kind}.schema.json").write_text(text + "\n", encoding="utf-8")
    if not library:
        (folder / "first.yaml").write_text(_STARTER, encoding="utf-8")
        name = "".join(c if c.isalnum() else "-" for c in folder.resolve().name.lower()).strip("-") or "policies"
        (folder / "bundle.yaml").write_text(_BUNDLE.format(name=name), encoding="utf-8")
    typer.echo(f"{folder} is ready; now: weir policy check {folder}")
