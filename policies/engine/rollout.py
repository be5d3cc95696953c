"""Rollout buckets: which share of traffic a rule is in force for. Stable across machines, releases and restarts."""

from __future__ import annotations

import hashlib

from policies.engine.subject import Subject


def bucket(rule_id: str, key: str) -> float:
    """A number in [0, 100) that the rule and the key always get: SHA-256 of both, read as a fraction."""
    digest = hashlib.sha256(f"{rule_id}\0{key}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 * 100.0


def rollout_key(subject: Subject, by: str) -> str:
    """What the bucket is chosen by; the content when the subject has no such thing."""
    chosen = {
        "author.id": subject.author_id,
        "content.id": subject.content_id,
        "event.id": subject.event_id,
        "thread.id": subject.thread_id,
    }.get(by)
    return chosen or subject.content_id


def in_rollout(rule_id: str, subject: Subject, *, percent: float, by: str) -> bool:
    """Whether the rule is in force for the subject."""
    return percent >= 100.0 or (percent > 0.0 and bucket(rule_id, rollout_key(subject, by)) < percent)
