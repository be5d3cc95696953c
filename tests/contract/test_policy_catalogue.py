"""What `weir policy check` checks against is what a worker's detectors provide."""

from __future__ import annotations

from ops.commands.policy_folder import catalogue as checked_against
from policies import EVENT_SIGNALS
from policies.engine.signals import Catalogue
from streams.app import catalogue as provided


def test_policies_are_checked_against_what_a_worker_has() -> None:
    """A policy that checks here loads there, and the other way round."""
    assert Catalogue.of(checked_against().values(), EVENT_SIGNALS) == provided()
