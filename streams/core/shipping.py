"""How policies travel to a fleet: bundles by their hash, and a signed pointer that says which one judges. Pure.

A pointer's signature covers its bytes. Its sequence only grows, so that an old pointer that somebody sends again is not
taken for news.
"""

from __future__ import annotations

import hmac
import zlib
from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from policies.engine.loader import hash_files
from streams.core.outcome import Headers

BUNDLE_SCHEMA: Final = "weir.bundle/1"
POINTER_SCHEMA: Final = "weir.pointer/1"
AUDIT_SCHEMA: Final = "weir.audit/1"

POINTER_KEY: Final = b"pointer"
BUNDLE_KEY_PREFIX: Final = b"bundle/"
SIGNATURE_HEADER: Final = "weir-signature"
MAX_BUNDLE_BYTES: Final = 64 * 1024 * 1024  # unpacked; a compressed bomb ends here


class ShipmentError(ValueError):
    """A record of the topic that cannot be used; says why, quotes nothing."""


class Pointer(msgspec.Struct, frozen=True):
    """Which bundle judges from now on."""

    hash: str
    sequence: int
    at: float  # seconds since the epoch
    by: str
    reason: str
    previous: str = ""  # what judged before; empty for the first


class AuditEntry(msgspec.Struct, frozen=True):
    """Who changed what judges, when, from what to what."""

    what: Literal["publish", "rollback"]
    by: str
    at: float
    from_: str = msgspec.field(name="from")
    to: str
    reason: str
    sequence: int


def bundle_key(hash_: str) -> bytes:
    """The key of a bundle's record."""
    return BUNDLE_KEY_PREFIX + hash_.encode()


def pack_bundle(files: Mapping[str, bytes]) -> bytes:
    """The files as one record's value."""
    return zlib.compress(msgspec.msgpack.encode(dict(files)), 9)


def unpack_bundle(value: bytes, hash_: str) -> dict[str, bytes]:
    """The files of a record; ShipmentError when they are not what their hash names."""
    try:
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(value, MAX_BUNDLE_BYTES)
        if unpacker.unconsumed_tail or not unpacker.eof:
            raise ShipmentError("the bundle is cut off, or too large when unpacked")
        files = msgspec.msgpack.decode(raw, type=dict[str, bytes])
    except (zlib.error, msgspec.DecodeError, msgspec.ValidationError) as exc:
        raise ShipmentError("the bundle's record cannot be read") from exc
    if hash_files(files) != hash_:
        raise ShipmentError("the bundle's files are not those that its hash names")
    return files


def encode_pointer(pointer: Pointer, key: bytes) -> tuple[bytes, Headers]:
    """The pointer's record; unsigned with an empty key."""
    value = msgspec.msgpack.encode(pointer)
    headers: Headers = (("schema", POINTER_SCHEMA.encode()),)
    if key:
        headers = (*headers, (SIGNATURE_HEADER, _signature(value, key)))
    return value, headers


def decode_pointer(value: bytes, headers: Headers, key: bytes) -> Pointer:
    """The pointer of a record; ShipmentError when it is none, or when a key is set and the signature is not its own."""
    if key and not hmac.compare_digest(dict(headers).get(SIGNATURE_HEADER, b""), _signature(value, key)):
        raise ShipmentError("the pointer is not signed with this deployment's key (WEIR_POLICY_KEY)")
    try:
        return msgspec.msgpack.decode(value, type=Pointer)
    except (msgspec.DecodeError, msgspec.ValidationError) as exc:
        raise ShipmentError("the pointer's record cannot be read") from exc


def _signature(value: bytes, key: bytes) -> bytes:
    return hmac.new(key, value, "sha256").hexdigest().encode()
