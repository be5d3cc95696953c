"""CSV of hashes, as partners share them → bank entries. Pure: lines in, entries and complaints out.

Two forms are read. With a header: any of the column names below, as HMA and the ThreatExchange exports use them.
Without one: `hash,id,timestamp,tags`, the form of ThreatExchange's own files; only the first two columns are used.
An id that could tell a reader something is replaced by a digest of itself.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

HashKind = Literal["pdq", "md5", "sha256"]

SIZES: Final[dict[HashKind, int]] = {"pdq": 32, "md5": 16, "sha256": 32}
_VALUE_NAMES: Final = (
    "signal_str",
    "signal_value",
    "signal",
    "hash",
    "indicator",
    "hash_value",
    "value",
    "content_hash",
)
_KIND_NAMES: Final = ("signal_type", "type", "indicator_type", "hash_type", "kind")
_ID_NAMES: Final = ("bank_content_id", "content_id", "descriptor_id", "id", "indicator_id", "entry_id")
_KINDS: Final[dict[str, HashKind]] = {
    "pdq": "pdq",
    "hash_pdq": "pdq",
    "pdq_hash": "pdq",
    "md5": "md5",
    "hash_md5": "md5",
    "photo_md5": "md5",
    "sha256": "sha256",
    "hash_sha256": "sha256",
    "photo_sha256": "sha256",
}
_OPAQUE: Final = re.compile(r"[0-9]{1,32}|[0-9a-f]{8,64}|[0-9a-f]{8}-[0-9a-f-]{27}")
_HEX: Final = re.compile(r"[0-9a-f]+")
#: The digest of nothing. It is in published sample banks, and would match every empty file.
_EMPTY_MD5: Final = hashlib.md5(b"", usedforsecurity=False).digest()
_EMPTY_SHA256: Final = hashlib.sha256(b"").digest()
_MAX_FIELD_CHARS: Final = 4_096


@dataclass(frozen=True, slots=True)
class BankEntry:
    """One hash of one known picture."""

    kind: HashKind
    hash: bytes
    id: str  # opaque


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line that is no entry."""

    line: int
    why: str


def read_rows(lines: Iterable[str], *, bank: str, kind: HashKind | None = None) -> Iterator[BankEntry | BadRow]:
    """One entry or complaint per line of data. `kind` says what the hashes are where the file does not."""
    columns: _Columns | None = None
    for line, text in enumerate(lines, 1):
        row = _split(text)
        if row is None:
            yield BadRow(line, "this is not a line of CSV")
            continue
        if not row or not any(cell.strip() for cell in row) or row[0].startswith("#"):
            continue
        if columns is None:
            columns = _columns(row)
            if columns.header:
                continue
        yield _entry(row, columns, line, bank=bank, kind=kind)


@dataclass(frozen=True, slots=True)
class _Columns:
    value: int = 0
    kind: int | None = None
    id: int | None = 1
    header: bool = False


def _columns(row: Sequence[str]) -> _Columns:
    names = [cell.strip().lower().replace(" ", "_").lstrip("\ufeff") for cell in row]
    value = next((names.index(name) for name in _VALUE_NAMES if name in names), None)
    if value is None:
        return _Columns()
    kind = next((names.index(name) for name in _KIND_NAMES if name in names), None)
    id_ = next((names.index(name) for name in _ID_NAMES if name in names), None)
    return _Columns(value, kind, id_, header=True)


def _split(text: str) -> list[str] | None:
    try:
        rows = list(csv.reader([text.rstrip("\r\n")], strict=True))
    except csv.Error:
        return None
    return rows[0] if rows else []


def _entry(row: Sequence[str], columns: _Columns, line: int, *, bank: str, kind: HashKind | None) -> BankEntry | BadRow:
    text = _cell(row, columns.value).lower()
    named = _cell(row, columns.kind).lower()
    known = _KINDS.get(named) if named else kind or ("md5" if len(text) == 32 else None)
    if known is None:
        what = f"the type {named[:40]!r} is not one of {', '.join(sorted(_KINDS))}" if named else "no type is given"
        return BadRow(line, what if named else f"{what}: 64 digits may be PDQ or SHA-256; say which with --kind")
    if len(text) != SIZES[known] * 2 or not _HEX.fullmatch(text):
        return BadRow(
            line, f"a {known} hash has {SIZES[known] * 2} hexadecimal digits, this has {len(text)} characters"
        )
    value = bytes.fromhex(text)
    if value in (_EMPTY_MD5, _EMPTY_SHA256):
        return BadRow(line, "this is the digest of an empty file")
    if known == "pdq" and not 64 <= int.from_bytes(value, "big").bit_count() <= 192:
        return BadRow(line, "a PDQ hash has about as many ones as zeros; this one is of a flat picture or no PDQ hash")
    return BankEntry(known, value, opaque_id(_cell(row, columns.id), text, bank=bank))


def _cell(row: Sequence[str], column: int | None) -> str:
    return row[column].strip()[:_MAX_FIELD_CHARS] if column is not None and column < len(row) else ""


def opaque_id(given: str, hash_hex: str, *, bank: str) -> str:
    """`given` when it is a number or a digest already, else a digest: names and addresses do not get into verdicts."""
    if _OPAQUE.fullmatch(given.lower()):
        return given
    return hashlib.sha256(f"{bank}\0{given or hash_hex}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
