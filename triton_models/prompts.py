"""Reading the prompt bank that people edit, `policies/library/prompts.yaml`; encoding it is assembling's business."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from policies.engine.taxonomy import CATEGORIES, NEVER_MODELLED

Phrase = Annotated[str, Field(min_length=1, max_length=300)]
Modality = Literal["image", "text"]


class Contrast(BaseModel):
    """Phrasings of a harm against the nearest harmless things."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    harmful: Annotated[list[Phrase], Field(min_length=1)]
    benign: Annotated[list[Phrase], Field(min_length=1)]


class CategoryPrompts(BaseModel):
    """What one category is compared with, per modality; a modality that is not given has no such opinion."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    image: Contrast | None = None
    text: Contrast | None = None


class PromptFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    prompts: dict[str, CategoryPrompts]

    @field_validator("prompts")
    @classmethod
    def _known(cls, prompts: dict[str, CategoryPrompts]) -> dict[str, CategoryPrompts]:
        for name in prompts:
            if name in NEVER_MODELLED:
                raise ValueError(f"{name} is judged by known hashes and text rules only, never by prompts")
            if name not in CATEGORIES:
                raise ValueError(f"{name!r} is no category; expected one of {', '.join(CATEGORIES)}")
        return prompts

    def of(self, modality: Modality) -> dict[str, Contrast]:
        """Category -> its phrasings for that modality, for the categories that have some."""
        found = {name: getattr(prompts, modality) for name, prompts in self.prompts.items()}
        return {name: contrast for name, contrast in found.items() if contrast is not None}


class PromptFileError(Exception):
    """The prompt file cannot be used; every problem is named."""


def read_prompts(path: Path) -> PromptFile:
    """The prompts in `path`; PromptFileError names file, place and problem of everything that is wrong."""
    try:
        return PromptFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as exc:
        raise PromptFileError(f"{path}: {exc.strerror}") from exc
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else 1
        raise PromptFileError(f"{path}:{line}: {exc.problem}") from exc
    except ValidationError as exc:
        lines = [f"{path}: {'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in exc.errors()]
        raise PromptFileError("\n".join(lines)) from exc
