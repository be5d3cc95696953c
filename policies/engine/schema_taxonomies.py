"""The shape of `taxonomies/*.yaml`: our two levels, and the mappings to foreign taxonomies."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from policies.engine.schema import Name, Text, Written
from policies.engine.taxonomy import MAX_SEVERITY, Category


class KeyFile(Written):
    """One key of a foreign taxonomy: made of ours (`from`), or not (`unmapped` says why)."""

    key: Text
    title: str = ""
    sources: list[Category] = Field(default_factory=list, alias="from")
    modality: Literal["text", "image", "joint"] | None = None
    note: str = ""
    unmapped: str = ""

    @model_validator(mode="after")
    def _one_of_both(self) -> KeyFile:
        if bool(self.sources) == bool(self.unmapped):
            raise ValueError(f"{self.key}: write from:, or unmapped: with the reason")
        return self


class MappingFile(Written):
    """A foreign taxonomy."""

    taxonomy: Name
    version: Text
    source: Text
    severities: list[int] = Field(default_factory=list, description="their severity for each of ours, 0 to 7")
    keys: list[KeyFile] = Field(min_length=1)

    @model_validator(mode="after")
    def _whole_scale(self) -> MappingFile:
        if self.severities and len(self.severities) != MAX_SEVERITY + 1:
            raise ValueError(f"severities: needs {MAX_SEVERITY + 1} numbers")
        return self


class CategoryFile(Written):
    """One level-one category and its kinds."""

    title: Text
    kinds: dict[str, Text] = Field(default_factory=dict)


class OwnFile(Written):
    """Our own two levels."""

    taxonomy: Literal["weir"]
    version: Text
    source: Text
    categories: dict[Category, CategoryFile]
