"""`weir policy …`: puts the policy commands together. Each lives in its own `policy_*` module."""

from __future__ import annotations

import typer

from ops.commands.policy_check import check
from ops.commands.policy_diff import diff
from ops.commands.policy_explain import explain_file
from ops.commands.policy_init import init
from ops.commands.policy_map import map_verdicts
from ops.commands.policy_reference import catalogue, schema
from ops.commands.policy_replay import replay
from ops.commands.policy_selftest import run_tests
from ops.commands.policy_ship import history, publish, rollback

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode="markdown", help="Check and test policies."
)


@app.callback()
def _policy() -> None:
    """Write, check, test, compare and try policies. Start with `weir policy check`."""


app.command()(init)
app.command()(check)
app.command("test")(run_tests)
app.command()(diff)
app.command("explain")(explain_file)
app.command()(replay)
app.command()(publish)
app.command()(rollback)
app.command()(history)
app.command("map")(map_verdicts)
app.command()(catalogue)
app.command()(schema)
