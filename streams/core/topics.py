"""The topics: what each one carries, how its records are keyed, which way they go. Pure.

How many partitions and how long they keep is the operator's business (`ops/local/topics.py`); schemas are the types'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Direction = Literal["send", "receive"]
_BOTH: Final[tuple[Direction, ...]] = ("send", "receive")


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. Without messages it is reserved: the name is kept, no release writes or reads it yet."""

    name: str  # without a deployment's prefix
    what: str
    key: str  # empty: records have none
    messages: tuple[str, ...] = ()
    directions: tuple[Direction, ...] = ("send",)  # as Weir sees it: workers and commands
    of_policies: bool = False

    @property
    def channel(self) -> str:
        """Its name in documents: `incoming`, `policyBundles`."""
        return f"policy{self.name.capitalize()}" if self.of_policies else self.name

    def address(self, prefix: str) -> str:
        """Its name in a cluster."""
        return policy_topic(prefix, self.name) if self.of_policies else f"{prefix}{self.name}"


TOPICS: Final = (
    Topic(
        "incoming", "What platforms publish and Weir judges.", "author id, else content id", ("ContentEvent",),
        ("receive",),
    ),
    Topic("verdicts", "One verdict for every event, allowed ones too.", "content id", ("Verdict",)),
    Topic("flagged", "Verdicts above allow, with what a reviewer needs.", "content id", ("Flagged",)),
    Topic("novel", "Novel-harm candidates. Reserved: no release writes it yet.", "cluster or content id"),
    Topic(
        "feedback", "Reviewers' decisions. Reserved: no release reads it yet.", "content id", directions=("receive",)
    ),
    Topic("deadletter", "Records that could not be judged, untouched.", "the original key", ("DeadLetter",)),
    Topic(
        "bundles", "The fleet's policies: bundles under their hash, and the pointer to the one that judges. Compacted.",
        "bundle/<hash>, or pointer", ("Bundle", "Pointer"), _BOTH, of_policies=True,
    ),
    Topic(
        "audit", "Who changed what judges, when, from what to what, and why.", "", ("AuditEntry",), _BOTH,
        of_policies=True,
    ),
    Topic(
        "facts", "What counters remember of judged events, as digests; of workers, for workers.",
        "the number of the events' partition", ("Facts",), _BOTH, of_policies=True,
    ),
    Topic(
        "strikes", "When rules acted against an author; of workers, for workers. Compacted.",
        "the author's digest, 8 bytes", ("Strikes",), _BOTH, of_policies=True,
    ),
)  # fmt: skip
"""Every topic that a deployment has."""


def policy_topic(topic_prefix: str, name: str) -> str:
    """`policy.<name>` beside topics of the standard prefix, `<prefix>policy.<name>` beside others."""
    return f"policy.{name}" if topic_prefix == "content." else f"{topic_prefix}policy.{name}"
