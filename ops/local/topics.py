"""The topics of CONTRACT as a list, and their creation on a real cluster (aiokafka's admin client).

The embedded broker has no CreateTopics request: there the names and partitions are given at its start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from ops.local.errors import LocalStackError
from ops.local.probe import live_brokers
from streams.core.topics import policy_topic

DAY_MS = 24 * 3600 * 1000
EVENT_MAX_BYTES = 4 * 1024 * 1024  # an event with inline thumbnails; larger media go by reference
DEADLETTER_MAX_BYTES = EVENT_MAX_BYTES + 1024 * 1024  # the untouched bytes plus headers that say why


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it shall be."""

    name: str
    partitions: int = 4
    retention_ms: int = 7 * DAY_MS
    max_message_bytes: int = EVENT_MAX_BYTES
    replication: int = 0  # 0: three, or as many brokers as there are
    compact: bool = False  # keep the newest record of each key for ever


def standard_topics(prefix: str = "content.", partitions: int = 4) -> tuple[TopicSpec, ...]:
    """The topics of CONTRACT and the policies' own. Dead letters keep for a month and may be larger than any event."""
    plain = ("incoming", "verdicts", "flagged", "novel", "feedback")
    return (
        *(TopicSpec(f"{prefix}{name}", partitions) for name in plain),
        TopicSpec(f"{prefix}deadletter", partitions, 30 * DAY_MS, DEADLETTER_MAX_BYTES),
        TopicSpec(policy_topic(prefix, "facts"), partitions, DAY_MS),  # counters read back an hour of them
        TopicSpec(policy_topic(prefix, "strikes"), partitions, compact=True),
        TopicSpec(policy_topic(prefix, "bundles"), 1, compact=True, max_message_bytes=DEADLETTER_MAX_BYTES),
        TopicSpec(policy_topic(prefix, "audit"), 1, 3_650 * DAY_MS),
    )


def create_topics(bootstrap: str, topics: Sequence[TopicSpec], timeout_s: float = 30.0) -> list[str]:
    """Create those topics that are not there; the names created. Blocks; may be called inside an event loop's thread.

    LocalStackError when the cluster refuses or does not answer.
    """
    return _run(_create(bootstrap, topics, timeout_s))


def _configs(topic: TopicSpec) -> dict[str, str]:
    kept = {"cleanup.policy": "compact"} if topic.compact else {"retention.ms": str(topic.retention_ms)}
    return {**kept, "max.message.bytes": str(topic.max_message_bytes)}


async def _create(bootstrap: str, topics: Sequence[TopicSpec], timeout_s: float) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=int(timeout_s * 1000))
    default_replication = min(3, live_brokers(bootstrap)) or 1
    wanted = [
        NewTopic(
            one.name,
            one.partitions,
            one.replication or default_replication,
            topic_configs=_configs(one),
        )
        for one in topics
    ]
    try:
        async with asyncio.timeout(timeout_s):
            await admin.start()
            answer = await admin.create_topics(wanted)
    except (KafkaError, TimeoutError, OSError) as exc:
        raise LocalStackError(f"topics could not be created on {bootstrap}: {exc!r}") from exc
    finally:
        await admin.close()
    created = []
    for name, code, *rest in answer.topic_errors:
        if code == 0:
            created.append(str(name))
        elif for_code(code) is not TopicAlreadyExistsError:
            raise LocalStackError(f"topic {name!r} was refused: {for_code(code).__name__} {rest[0] if rest else ''}")
    return created


def _run(work: Coroutine[object, object, list[str]]) -> list[str]:
    """Run to the end in a loop of its own, in a thread of its own: the caller's thread may have a running loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
