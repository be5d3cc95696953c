"""Publishing bundles, moving the pointer, and the audit of both: the writing side of `policy_topic`, for commands."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from streams.adapters.kafka import OutRecord, publish_records
from streams.adapters.policy_topic import CALL_TIMEOUT_S, close, open_topic, read_shipments, read_up_to
from streams.core.shipping import (
    AUDIT_SCHEMA,
    BUNDLE_SCHEMA,
    POINTER_KEY,
    AuditEntry,
    Pointer,
    ShipmentError,
    bundle_key,
    encode_pointer,
    pack_bundle,
)


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants to judge from now on."""

    what: Literal["publish", "rollback"]
    hash: str  # empty for a rollback: what judged before
    files: Mapping[str, bytes] | None  # None for a rollback
    by: str
    reason: str
    at: float


async def ship(bootstrap: list[str], topics: tuple[str, str], order: Order, *, key: bytes) -> AuditEntry:
    """Publish the bundle if it is new, then the pointer, then the audit; all acknowledged. `topics`: bundles, audit.

    ShipmentError when there is nothing to go back to, or when somebody else moved the pointer at the same time.
    """
    bundles, audit = topics
    held = await read_shipments(bootstrap, bundles, key)
    before = held.pointer
    hash_ = order.hash or (before.previous if before else "")
    if not hash_:
        raise ShipmentError("there is no bundle to go back to")
    if order.files is None and not held.holds(hash_):
        raise ShipmentError(f"no bundle {hash_} was ever published here")
    if order.files is not None and not held.holds(hash_):
        schema = (("schema", BUNDLE_SCHEMA.encode()),)
        await _send(bootstrap, bundles, OutRecord(pack_bundle(order.files), bundle_key(hash_), schema))
    sequence = (before.sequence if before else 0) + 1
    pointer = Pointer(hash_, sequence, order.at, order.by, order.reason, before.hash if before else "")
    value, headers = encode_pointer(pointer, key)
    await _send(bootstrap, bundles, OutRecord(value, POINTER_KEY, headers))
    entry = AuditEntry(order.what, order.by, order.at, pointer.previous, hash_, order.reason, sequence)
    await _send(bootstrap, audit, OutRecord(msgspec.json.encode(entry), None, _audit_headers()))
    if (await read_shipments(bootstrap, bundles, key)).pointer != pointer:
        raise ShipmentError("somebody else moved the pointer at the same time; look at `weir policy history`")
    return entry


def _audit_headers() -> tuple[tuple[str, bytes], ...]:
    return (("schema", AUDIT_SCHEMA.encode()), ("content-type", b"application/json"))


async def _send(bootstrap: list[str], topic: str, record: OutRecord) -> None:
    await publish_records(",".join(bootstrap), topic, [record])


async def read_audit(bootstrap: list[str], topic: str) -> list[dict[str, Any]]:
    """Every entry of the audit, oldest first."""
    consumer = await open_topic(bootstrap, topic)
    found: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            ends = await consumer.end_offsets(list(consumer.assignment()))
            while not await read_up_to(consumer, ends):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += [msgspec.json.decode(record.value) for record in records if record.value]
    finally:
        await close(consumer)
    return sorted(found, key=lambda entry: (entry["sequence"], entry["at"]))
