"""What a bundle costs: bytes, and microseconds an event estimated from what it has to do.

The estimate uses figures measured on one core (`weir bench policy`); shadow rules count, since they run as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from policies.engine.bundle import PolicyBundle
from policies.engine.checks.view import View
from policies.engine.conditions import count_leaves
from policies.engine.errors import Problem

#: Microseconds, measured: one comparison of generated code; reading one signal; a verdict without hits; a scan's start.
LEAF_US: Final = 0.02
SIGNAL_US: Final = 0.06
VERDICT_US: Final = 25.0
SCAN_US: Final = 60.0
PATTERN_US: Final = 0.06


def estimate_us(bundle: PolicyBundle) -> float:
    """About how long one event takes in this bundle: scanning a post of 300 characters, all rules, the verdict."""
    rules = sum(count_leaves(rule.when) for rule in bundle.policies.rules if rule.mode != "off")
    signals = len(bundle.program.signals)
    scan = SCAN_US + PATTERN_US * len(bundle.lists.regex_owners) if bundle.lists.lists else 0.0
    return VERDICT_US + LEAF_US * rules + SIGNAL_US * signals + scan


def check(view: View) -> Iterator[Problem]:
    """TOO-COSTLY and TOO-LARGE, errors."""
    bundle, policies = view.loaded.bundle, view.policies
    head = view.loaded.folder.bundle
    file = head.doc.file if head is not None else str(view.loaded.folder.path)
    cost = estimate_us(bundle)
    if cost > policies.cost_limit_us:
        message = f"about {cost:.0f} us an event, the limit is {policies.cost_limit_us:.0f}"
        yield Problem(file, 1, 1, "TOO-COSTLY", message, "remove rules in shadow, or raise limits.cost_us")
    if bundle.size_bytes > policies.size_limit_bytes:
        message = f"{bundle.size_bytes} bytes, the limit is {policies.size_limit_bytes}"
        yield Problem(file, 1, 1, "TOO-LARGE", message, "raise limits.size_bytes")
