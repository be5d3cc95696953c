"""How far the workers' consumer group is: its members, and how many events wait in each partition.

Asks a cluster; needs a real Kafka (the embedded broker does not know the request). Not a metric for dashboards: those
come from the worker. This is for a person, a health check or a script.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaError,
    NotCoordinatorForGroupError,
    for_code,
)

from ops.local.errors import LocalStackError

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """A consumer group on one topic."""

    group: str
    state: str  # Kafka's word: Stable, PreparingRebalance, CompletingRebalance, Empty, Dead
    members: int
    waiting: dict[int, int]  # partition -> events not yet acknowledged by the group

    @property
    def well(self) -> bool:
        """Whether somebody works: a group that is rebalancing has members too."""
        return self.members > 0


async def group_status(bootstrap: str, group: str, topic: str, timeout_s: float = 10.0) -> GroupStatus:
    """The group's state now; LocalStackError when the cluster does not answer or does not know the topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=int(timeout_s * 1000))
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    try:
        async with asyncio.timeout(timeout_s):
            await admin.start()
            await consumer.start()
            state, members = await _patiently(lambda: _describe(admin, group))
            await consumer._client.add_topic(topic)  # noqa: SLF001  # no public way to ask about a topic not read
            numbers = consumer.partitions_for_topic(topic)
            if not numbers:
                raise LocalStackError(f"topic {topic!r} is not there", hint="weir kafka topics")
            partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
            ends = await consumer.end_offsets(partitions)
            starts = await consumer.beginning_offsets(partitions)
            done = await _patiently(lambda: admin.list_consumer_group_offsets(group, partitions=partitions))
    except (KafkaError, TimeoutError, OSError) as exc:
        raise LocalStackError(f"Kafka at {bootstrap} did not answer: {exc!r}") from exc
    finally:
        await consumer.stop()
        await admin.close()
    waiting = {}
    for one in partitions:
        committed = done[one].offset if one in done else -1
        waiting[one.partition] = ends[one] - max(committed, starts[one])
    return GroupStatus(group, state, members, waiting)


async def _describe(admin: AIOKafkaAdminClient, group: str) -> tuple[str, int]:
    (answer,) = await admin.describe_consumer_groups([group])
    code, _name, state, _kind, _protocol, members, *_ = answer.groups[0]
    if code:
        raise for_code(code)
    return str(state), len(members)


async def _patiently(ask: Callable[[], Awaitable[_T]]) -> _T:
    """The answer, once the group's coordinator is ready: a fresh cluster makes it when first asked.

    The caller has a deadline around this.
    """
    while True:
        try:
            return await ask()
        except (
            GroupCoordinatorNotAvailableError,
            GroupLoadInProgressError,
            NotCoordinatorForGroupError,
        ):
            await asyncio.sleep(0.2)
