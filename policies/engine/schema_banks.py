"""The shape of a hash bank's declaration (`banks/<name>.yaml`), as a pydantic model. Shape only; meaning is `banks`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from policies.engine.schema import Name, Text, Written

VersionWord = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.\-]*$", max_length=40)]


class QuarantineFile(Written):
    """When an entry matches suspiciously much."""

    pictures_per_hour: int = Field(ge=1, description="different pictures that one entry may match in an hour")
    hours: float = Field(default=24.0, gt=0, description="how long such an entry then only counts as quarantined")


class BankFile(Written):
    """One bank of known pictures. Its hashes are imported with `weir bank import`; they are never in this file."""

    name: Name = Field(alias="bank")
    version: VersionWord
    owner: Text
    description: str = ""
    source: str = Field(default="", description="who shares these hashes, under which agreement")
    distance: int = Field(default=31, ge=0, le=31, description="largest PDQ distance that counts as the same picture")
    min_quality: int = Field(default=50, ge=0, le=100, description="PDQ is not asked about flatter pictures")
    unless: list[Name] = Field(
        default_factory=list, description="banks of known-good pictures: what is as near to one of them is no hit"
    )
    quarantine: QuarantineFile | None = None
    required: bool = Field(
        default=False, description="true: without imported hashes the bank counts as broken, not as empty"
    )
