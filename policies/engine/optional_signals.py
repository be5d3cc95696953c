"""Signals of detectors that a deployment may or may not run: counters.

Always in the catalogue, so that policies may speak of them; without such a detector they are absent and match nothing.
A detector that declares one of these names itself takes precedence.
"""

from __future__ import annotations

from typing import Final

from policies.engine.signals import SignalSpec

COUNTER_OWNER: Final = "counters"

OPTIONAL_SIGNALS: Final[tuple[SignalSpec, ...]] = (
    SignalSpec("velocity.posts_1h", "int", "posts of the author in the last hour", COUNTER_OWNER, 0),
    SignalSpec("velocity.duplicates_1h", "int", "near-identical posts of anybody in the last hour", COUNTER_OWNER, 0),
    SignalSpec("velocity.recipients_1h", "int", "people the author wrote to in the last hour", COUNTER_OWNER, 0),
    SignalSpec("author.strikes", "float", "strikes against the author, with decay", COUNTER_OWNER, 0),
)
