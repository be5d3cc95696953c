"""One bank's hashes ready to be asked, and the three things that a bank can be. Pure.

What counts as near enough, and what a hit means, is declared by policies (`policies.engine.banks`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.core.bank_rows import SIZES, BankEntry, HashKind
from streams.core.hash_index import DigestIndex, PdqIndex
from streams.core.pdq import PdqPrint

#: Two arrays per kind of hash: `[N, size]` bytes, and `[N]` ids as fixed-length byte strings.
BankArrays = dict[str, NDArray[np.generic]]
KINDS: Final[tuple[HashKind, ...]] = ("pdq", "md5", "sha256")


@dataclass(frozen=True, slots=True)
class Prints:
    """The fingerprints of one picture: of its bytes, and of its look where it can be decoded."""

    md5: bytes
    sha256: bytes
    look: PdqPrint | None
    problem: str = ""  # why there is no look

    def digest(self, kind: HashKind) -> bytes:
        """The digest of the bytes."""
        return self.md5 if kind == "md5" else self.sha256


@dataclass(frozen=True, slots=True)
class BankHit:
    """An entry that a picture matches."""

    id: str
    distance: int  # 0 for the very same file


class BankIndex:
    """A bank's entries, searchable."""

    def __init__(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """`arrays` as `pack` makes them; ValueError when they are something else."""
        hashes = {kind: _hashes(arrays, kind) for kind in KINDS}
        self._ids = {kind: _ids(arrays, kind, len(hashes[kind])) for kind in KINDS}
        self._pdq = PdqIndex(hashes["pdq"])
        self._digests: dict[HashKind, DigestIndex] = {
            "md5": DigestIndex(hashes["md5"]),
            "sha256": DigestIndex(hashes["sha256"]),
        }
        self.version = _version(arrays)
        self.counts: dict[HashKind, int] = {kind: len(hashes[kind]) for kind in KINDS}

    @property
    def needs_look(self) -> bool:
        """Whether any entry is about how a picture looks."""
        return self.counts["pdq"] > 0

    def hits(self, prints: Prints, *, distance: int, min_quality: int) -> list[BankHit]:
        """The entries that the picture matches, each once, nearest first."""
        found: dict[str, int] = {}
        for kind, index in self._digests.items():
            for entry in index.find(prints.digest(kind)):
                found[self._name(kind, entry)] = 0
        look = prints.look
        if look is not None and look.quality >= min_quality and len(self._pdq):
            queries = np.frombuffer(b"".join(look.variants), dtype=np.uint8).reshape(-1, SIZES["pdq"])
            entries, distances = self._pdq.search(queries, distance)
            for entry, bits in zip(entries.tolist(), distances.tolist(), strict=True):
                found.setdefault(self._name("pdq", entry), bits)
        return [BankHit(name, bits) for name, bits in sorted(found.items(), key=lambda item: (item[1], item[0]))]

    def _name(self, kind: HashKind, entry: int) -> str:
        return bytes(self._ids[kind][entry]).decode()


def pack(entries: Iterable[BankEntry]) -> BankArrays:
    """The entries as arrays, without repeats, in the order of their hashes."""
    made: BankArrays = {}
    by_kind: dict[HashKind, dict[bytes, str]] = {kind: {} for kind in KINDS}
    for entry in entries:
        by_kind[entry.kind].setdefault(entry.hash, entry.id)
    for kind, found in by_kind.items():
        hashes = sorted(found)
        made[kind] = np.frombuffer(b"".join(hashes), dtype=np.uint8).reshape(-1, SIZES[kind])
        made[f"{kind}_ids"] = np.array([found[value].encode() for value in hashes], dtype="S64")
    return made


def unpack(arrays: Mapping[str, NDArray[np.generic]]) -> list[BankEntry]:
    """The entries in `arrays`; ValueError when they are something else."""
    made: list[BankEntry] = []
    for kind in KINDS:
        hashes = _hashes(arrays, kind)
        ids = _ids(arrays, kind, len(hashes))
        made += [BankEntry(kind, row.tobytes(), bytes(ids[n]).decode()) for n, row in enumerate(hashes)]
    return made


def _hashes(arrays: Mapping[str, NDArray[np.generic]], kind: HashKind) -> NDArray[np.uint8]:
    found = arrays.get(kind)
    if found is None or found.dtype != np.uint8 or found.ndim != 2 or found.shape[1] != SIZES[kind]:
        raise ValueError(f"there are no {kind} hashes of {SIZES[kind]} bytes in it")
    return found.astype(np.uint8, copy=False)


def _ids(arrays: Mapping[str, NDArray[np.generic]], kind: HashKind, count: int) -> Sequence[bytes]:
    found = arrays.get(f"{kind}_ids")
    if found is None or found.dtype.kind != "S" or found.shape != (count,):
        raise ValueError(f"its {kind} hashes have no ids, or too few")
    return found  # type: ignore[return-value]  # an array of byte strings is read like a sequence of them


def _version(arrays: Mapping[str, NDArray[np.generic]]) -> str:
    digest = hashlib.sha256()
    for kind in KINDS:
        digest.update(arrays[kind].tobytes())
        digest.update(arrays[f"{kind}_ids"].tobytes())
    return digest.hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Imported:
    """The bank can be asked."""

    index: BankIndex


@dataclass(frozen=True, slots=True)
class NotImported:
    """Nobody has imported hashes into it yet."""


@dataclass(frozen=True, slots=True)
class Broken:
    """There is a bank and it cannot be read."""

    why: str


BankState = Imported | NotImported | Broken
