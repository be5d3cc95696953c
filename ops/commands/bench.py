"""`weir bench`: the measurements of this project by name, each printing a ratio. The benches are `ops/bench`."""

from __future__ import annotations

import importlib
import sys
from typing import Annotated, Final

import typer

from ops.exits import MISUSED

EPILOG = """
Examples:

  weir bench                                              # what there is

  weir bench flow --json                                  # the stream alone beside a raw copy loop, on real Kafka

  weir bench flow --broker embedded --scale 0.2

  weir bench delivery --events 500 --only SIGTERM

  weir bench policy --json
"""

#: Name -> (module with `main() -> int` that reads `sys.argv`, one line, its own options).
BENCHES: Final[dict[str, tuple[str, str, str]]] = {
    "flow": (
        "ops.bench.flow",
        "events per CPU-second with no model, beside a raw copy loop",
        "--broker real|embedded  --scale X",
    ),
    "serve": (
        "ops.bench.serve",
        "posts per second through Kafka and Triton, beside the same ensemble in process",
        "--posts N",
    ),
    "delivery": (
        "ops.bench.delivery",
        "every record is answered once while worker, Triton and broker are killed",
        "--events N  --rate R  --only WORDS  --consumer direct|agent",
    ),
    "decode": (
        "ops.bench.decode_fuzz",
        "random and mutated records: no exception, bounded time and memory",
        "--records N  --seed N",
    ),
    "policy": ("ops.bench.policy", "500 rules an event, beside the same rules by hand", ""),
    "hashes": (
        "ops.bench.hashes",
        "a picture in a bank of a million hashes, exactly, beside asking each",
        "--hashes N  --queries N",
    ),
    "replay": ("ops.bench.policy_replay", "recorded events through two bundles, a minute of one core", "--events N"),
    "rules": (
        "ops.bench.policy_agreement",
        "random rules, compiled, against the slow reference evaluator",
        "--evaluations N  --seed N",
    ),
    "files": ("ops.bench.policy_fuzz", "wounded policy files: no crash, nothing runs", "--files N  --seed N  --lint"),
}


app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, epilog=EPILOG)
def bench(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Which; without one, the list.")] = "",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Measure, and print `name`, `ratio`, `ours`, `reference`, `unit` and what else there is to say.

    Further options go to the bench; `weir bench` lists them. Exit code 1 when a bench has a goal or a
    guarantee and misses it.
    """
    if not name:
        for known, (_, line, options) in BENCHES.items():
            typer.echo(f"{known:<10} {line}" + (f"\n{'':<10} {options}" if options else ""))
        return
    if name not in BENCHES:
        typer.echo(f"weir bench: no bench is called {name!r}; one of {', '.join(BENCHES)}", err=True)
        raise typer.Exit(MISUSED)
    module = importlib.import_module(BENCHES[name][0])
    before = sys.argv
    sys.argv = [f"weir bench {name}", *context.args, *(["--json"] if as_json else [])]
    try:
        code = module.main()
    finally:
        sys.argv = before
    raise typer.Exit(code)
