"""Policies from a topic, for a fleet: bundles by hash, and a pointer to the one that judges.

Follows `policy.bundles` without a group. A pointer that is not signed as it must be, that points to nothing, or to a
bundle that does not pass, leaves the bundle in force and is refused like a broken folder: in the log and in `status`.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any, Final

import aiokafka
import structlog
from aiokafka.errors import KafkaError

from policies import PolicyBundle, PolicyErrors, load_files
from policies.engine.signals import Catalogue
from streams.adapters import last_good
from streams.adapters.policy_shelf import PolicyShelf, PolicyStatus
from streams.core.shipping import (
    BUNDLE_KEY_PREFIX,
    POINTER_KEY,
    Pointer,
    ShipmentError,
    bundle_key,
    decode_pointer,
    unpack_bundle,
)

log = structlog.get_logger(__name__)

RETRY_S: Final = 1.0
CALL_TIMEOUT_S: Final = 10.0
MAX_BUNDLES: Final = 500  # held in memory, the newest; about 100 KB each


class Shipments:
    """What the topic holds, as far as it was read."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._bundles: dict[bytes, bytes] = {}  # record key -> packed files
        self._seen: set[Pointer] = set()
        self.pointer: Pointer | None = None
        self.problem = ""  # why the newest pointer was not taken

    def take(self, record: Any) -> bool:
        """Note a record; whether the pointer moved, or was refused."""
        if record.key is None or record.value is None:
            return False
        if record.key.startswith(BUNDLE_KEY_PREFIX):
            self._bundles.pop(record.key, None)
            self._bundles[record.key] = record.value
            if len(self._bundles) > MAX_BUNDLES:
                del self._bundles[next(iter(self._bundles))]
            return False
        if record.key != POINTER_KEY:
            return False
        try:
            pointer = decode_pointer(record.value, tuple(record.headers), self._key)
        except ShipmentError as exc:
            self.problem = str(exc)
            return True
        if pointer in self._seen:
            return False  # the topic is being read again
        self._seen.add(pointer)
        if self.pointer is not None and pointer.sequence <= self.pointer.sequence:
            self.problem = f"a pointer with sequence {pointer.sequence} came after {self.pointer.sequence}"
            return True
        self.pointer, self.problem = pointer, ""
        return True

    def holds(self, hash_: str) -> bool:
        """Whether the bundle is there."""
        return bundle_key(hash_) in self._bundles

    def files(self, hash_: str) -> dict[str, bytes]:
        """The files of a bundle; ShipmentError when they are not there or not right."""
        packed = self._bundles.get(bundle_key(hash_))
        if packed is None:
            raise ShipmentError(f"no bundle {hash_} is in the topic")
        return unpack_bundle(packed, hash_)


async def open_topic(bootstrap: list[str], topic: str) -> Any:
    """A consumer of the whole topic from its beginning; KafkaError, OSError or TimeoutError when there can be none."""
    consumer = aiokafka.AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=200,
        max_partition_fetch_bytes=16 * 1024 * 1024,
    )
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await consumer.start()
            await _require(consumer, topic)
            consumer.subscribe([topic])
            while not consumer.assignment():  # noqa: ASYNC110  # aiokafka tells nobody
                await asyncio.sleep(0.05)
    except BaseException:  # cancelled while starting, too: a consumer that nobody holds keeps its sockets
        await close(consumer)
        raise
    return consumer


async def _require(consumer: Any, topic: str) -> None:
    """Asked by name, a broker might create the topic, and not compacted."""
    if topic not in await consumer.topics():
        raise OSError(f"the topic {topic} does not exist; create it with `weir kafka topics`")


async def close(consumer: Any) -> None:
    """Stop the consumer, whatever state it is in."""
    with contextlib.suppress(KafkaError, OSError):
        await consumer.stop()


async def read_shipments(bootstrap: list[str], topic: str, key: bytes) -> Shipments:
    """Everything in the topic now. Raises what `open_topic` raises."""
    consumer = await open_topic(bootstrap, topic)
    shipments = Shipments(key)
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            ends = await consumer.end_offsets(list(consumer.assignment()))
            while not await read_up_to(consumer, ends):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        shipments.take(record)
    finally:
        await close(consumer)
    return shipments


async def read_up_to(consumer: Any, ends: dict[Any, int]) -> bool:
    """Whether everything before these offsets was read."""
    return all([await consumer.position(one) >= end for one, end in ends.items()])


class TopicPolicySource:
    """The bundle that the fleet's pointer names. Own `watch` as a task; `settled` waits for the first reading.

    `seed` judges until a pointer is read, and when there is none.
    """

    def __init__(
        self, bootstrap: list[str], topic: str, seed: PolicyBundle, catalogue: Catalogue, *, key: bytes, keep: Path
    ) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._keep = keep
        self._shipments = Shipments(key)
        self._read = asyncio.Event()
        self._shelf = PolicyShelf(
            _recalled(keep, catalogue) or seed, catalogue, origin="seed", on_swap=lambda _, files: self._store(files)
        )

    @property
    def status(self) -> PolicyStatus:
        """What judges now, and what was refused since."""
        return self._shelf.status

    def current(self) -> PolicyBundle:
        """The bundle to judge by."""
        return self._shelf.current()

    async def settled(self, *, timeout_s: float) -> bool:
        """Wait until what the topic held at the start is in force; False when time ran out."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._read.wait()
        return self._read.is_set()

    async def watch(self) -> None:
        """Follow the topic for ever; whatever fails is tried again."""
        told = ""
        while True:
            try:
                await self._follow()
            except (KafkaError, OSError, TimeoutError) as exc:
                why = str(exc) if isinstance(exc, OSError) else type(exc).__name__
                if why != told:
                    log.warning("policy.topic_unreadable", topic=self._topic, why=why)
                told = why
            await asyncio.sleep(RETRY_S)

    async def _follow(self) -> None:
        consumer = await open_topic(self._bootstrap, self._topic)
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                ends = await consumer.end_offsets(list(consumer.assignment()))
            moved = False
            while True:
                caught_up = await read_up_to(consumer, ends)
                if moved and caught_up:  # at the start only the last pointer counts
                    await self._point()
                    moved = False
                if caught_up:
                    self._read.set()
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    for record in records:
                        moved = self._shipments.take(record) or moved
        finally:
            await close(consumer)

    async def _point(self) -> None:
        pointer, problem = self._shipments.pointer, self._shipments.problem
        if problem:
            self._shelf.refuse("", [f"{self._topic}:1:1: BAD-POINTER {problem}"])
            return
        if pointer is None:
            return
        try:
            files = await asyncio.to_thread(self._shipments.files, pointer.hash)
        except ShipmentError as exc:
            self._shelf.refuse(pointer.hash, [f"{self._topic}:1:1: BAD-BUNDLE {exc}"])
            return
        await self._shelf.offer(files, origin=f"{self._topic}#{pointer.sequence}", name="fleet")

    def _store(self, files: Any) -> None:
        try:
            last_good.keep(self._keep, files)
        except OSError as exc:
            log.warning("policy.not_kept", why=exc.strerror)


def _recalled(keep: Path, catalogue: Catalogue) -> PolicyBundle | None:
    """The last bundle that judged here, when it still loads."""
    files = last_good.recall(keep)
    if files is None:
        return None
    try:
        return load_files(files, catalogue, name="fleet")
    except PolicyErrors:
        log.warning("policy.last_good_unusable")
        return None
