"""Bundles and pointers as records: what is tampered with, cut off or sent again is not taken."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import msgspec
import pytest

from policies.engine.loader import hash_files
from streams.adapters.policy_topic import Shipments
from streams.core.outcome import Headers
from streams.core.shipping import (
    POINTER_KEY,
    Pointer,
    ShipmentError,
    bundle_key,
    decode_pointer,
    encode_pointer,
    pack_bundle,
    unpack_bundle,
)

FILES = {"a.yaml": b"policy: a\n", "lists/b.yaml": b"list: b\n"}
HASH = hash_files(FILES)
KEY = b"a key of this deployment"


@dataclass(frozen=True)
class Record:
    """A record as aiokafka gives it."""

    key: bytes | None
    value: bytes | None
    headers: Headers = ()


def a_pointer(sequence: int = 1, hash_: str = HASH) -> Pointer:
    """A pointer."""
    return Pointer(hash_, sequence, 1_700_000_000.0, "jo", "a test", "")


def pointed(sequence: int, *, key: bytes = KEY, hash_: str = HASH) -> Record:
    """A pointer's record."""
    value, headers = encode_pointer(a_pointer(sequence, hash_), key)
    return Record(POINTER_KEY, value, headers)


def test_a_bundle_comes_back_as_it_went() -> None:
    """By its hash."""
    assert unpack_bundle(pack_bundle(FILES), HASH) == FILES


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"not compressed",
        pack_bundle(FILES)[:-3],
        pack_bundle({**FILES, "a.yaml": b"policy: b\n"}),
        zlib.compress(msgspec.msgpack.encode([1, 2])),
        zlib.compress(bytes(80 * 1024 * 1024)),
    ],
    ids=["empty", "garbage", "cut", "other files", "no files", "bomb"],
)
def test_a_record_that_is_not_the_bundle_is_refused(value: bytes) -> None:
    """Whatever the bytes are, and without unpacking a bomb."""
    with pytest.raises(ShipmentError):
        unpack_bundle(value, HASH)


def test_a_signed_pointer_is_taken_and_a_changed_one_is_not() -> None:
    """With a key, only pointers that were signed with it count; without one, all do."""
    value, headers = encode_pointer(a_pointer(), KEY)
    assert decode_pointer(value, headers, KEY) == a_pointer()
    assert decode_pointer(value, headers, b"") == a_pointer()
    forged = msgspec.msgpack.encode(a_pointer(2))
    unsigned, no_headers = encode_pointer(a_pointer(), b"")
    for bad_value, bad_headers in (
        (forged, headers),
        (unsigned, no_headers),
        (value, encode_pointer(a_pointer(), b"x")[1]),
    ):
        with pytest.raises(ShipmentError, match="not signed with this deployment's key"):
            decode_pointer(bad_value, bad_headers, KEY)
    with pytest.raises(ShipmentError, match="cannot be read"):
        decode_pointer(b"\xc1", (), b"")


def test_the_newest_pointer_counts_and_an_old_one_sent_again_does_not() -> None:
    """Sequences only grow; reading the topic again from its beginning is no replay."""
    held = Shipments(KEY)
    records = [Record(bundle_key(HASH), pack_bundle(FILES)), pointed(1, hash_="f" * 32), pointed(2)]
    assert [held.take(record) for record in records] == [False, True, True]
    assert held.pointer == a_pointer(2)
    assert held.files(HASH) == FILES
    assert [held.take(record) for record in records] == [False, False, False]
    assert held.problem == ""
    other, headers = encode_pointer(Pointer(HASH, 1, 0.0, "mallory", "", ""), KEY)
    assert held.take(Record(POINTER_KEY, other, headers))
    assert held.pointer == a_pointer(2)
    assert "sequence 1 came after 2" in held.problem
    assert held.take(pointed(3, key=b"another key"))
    assert "not signed" in held.problem


def test_other_records_are_passed_over() -> None:
    """Tombstones, records without a key, and what later versions may put there."""
    held = Shipments(b"")
    assert not any(held.take(r) for r in (Record(None, b"x"), Record(POINTER_KEY, None), Record(b"else", b"x")))
    with pytest.raises(ShipmentError, match="no bundle"):
        held.files(HASH)
