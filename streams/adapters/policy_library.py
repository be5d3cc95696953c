"""Policies that do not change while the process runs: the bundled library, or a folder read once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import policies
from policies import PolicyBundle


def library_folder() -> Path:
    """The folder of the policies that ship with Weir."""
    return Path(policies.__file__).parent / "library"


@dataclass(frozen=True, slots=True)
class FixedPolicies:
    """Always the same bundle."""

    bundle: PolicyBundle

    def current(self) -> PolicyBundle:
        """The bundle."""
        return self.bundle
