"""A recipe: the YAML that makes a release, validated. It holds no code and reads no data."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from policies.engine.taxonomy import NEVER_MODELLED, Category

FOLDER: Final = "recipes"
AnyRecipe = TypeVar("AnyRecipe", bound=BaseModel)


class RecipeError(ValueError):
    """A recipe is missing or wrong: which file, which key, what to do."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Augment(_Strict):
    """How train rows are multiplied."""

    disguised_share: float = Field(default=0.25, ge=0, le=1)
    ordinary_long: int = Field(default=400, ge=0)
    jailbreak_pieces: int = Field(default=2, ge=0)
    romanised_share: float = Field(default=0.0, ge=0, le=1)  # of rows in scripts that are also typed in Latin letters
    respelled_share: float = Field(default=0.0, ge=0, le=1)  # of romanised Hindi, Urdu, Bengali: in another's spelling
    mixed_share: float = Field(default=0.0, ge=0, le=1)  # with emoji, another language's words, pinyin words
    framed_share: float = Field(default=0.0, ge=0, le=1)  # with a greeting before or a remark after


class HeadSection(_Strict):
    """See `head_fit.HeadRecipe`."""

    hidden: int = Field(default=64, ge=0, le=512)
    linear_only: tuple[Category, ...] = ()
    epochs: int = Field(default=8, ge=1)
    batch: int = Field(default=512, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=0.02, ge=0)
    dropout: float = Field(default=0.2, ge=0, lt=1)


class NgramSection(_Strict):
    """See `ngram_fit.NgramRecipe`."""

    buckets_log2: int = Field(default=18, ge=8, le=22)
    sizes: tuple[int, ...] = (1, 2, 3, 4, 5)
    inverse_penalty: float = Field(default=4.0, gt=0)


class Recipe(_Strict):
    """What makes a release."""

    recipe: str
    version: str
    seed: int
    sets: tuple[str, ...]
    heads: tuple[Category, ...]
    ngrams: tuple[Category, ...]
    most_per_set: dict[str, int] = {}  # set -> train rows, drawn by the seed; sets not named come whole
    augment: Augment = Augment()
    head: HeadSection = HeadSection()
    ngram: NgramSection = NgramSection()
    least_dev_auroc: float = Field(default=0.75, ge=0.5, le=1)

    @property
    def release(self) -> str:
        """The release's name: `starter-2026.11.1`."""
        return f"{self.recipe}-{self.version}"

    def key(self, *sections: str) -> str:
        """A short hash of the named sections; a stage whose sections did not change need not run again."""
        kept = self.model_dump_json(include=set(sections))
        return hashlib.blake2b(kept.encode(), digest_size=8).hexdigest()


def load_recipe(name: str) -> Recipe:
    """The recipe that `name` names: a file, or one that is shipped (`starter`); RecipeError otherwise."""
    recipe = load_recipe_file(name, Recipe)
    require_modelled(name, heads=recipe.heads, ngrams=recipe.ngrams)
    return recipe


def load_recipe_file(name: str, kind: type[AnyRecipe], folder: str = FOLDER) -> AnyRecipe:
    """The `kind` of recipe that `name` names: a YAML file, or one shipped in `folder`; RecipeError otherwise."""
    path, shipped = Path(name), shipped_recipes(folder)
    if path.suffix in {".yaml", ".yml"}:
        if not path.is_file():
            raise RecipeError(f"{path}: no such recipe file; shipped recipes are {', '.join(shipped)}")
        text = path.read_text(encoding="utf-8")
    elif name in shipped:
        text = _package().joinpath(folder, f"{name}.yaml").read_text(encoding="utf-8")
    else:
        raise RecipeError(f"no recipe {name!r}; give a .yaml file or one of {', '.join(shipped)}")
    try:
        return kind.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as exc:
        raise RecipeError(f"{name}: not YAML: {exc}") from exc
    except ValidationError as exc:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in exc.errors())
        raise RecipeError(f"{name}: {problems}") from exc


def require_modelled(name: str, **keys: Sequence[Category]) -> None:
    """RecipeError when a key of the recipe `name` lists a category that no model may judge."""
    never = NEVER_MODELLED & {category for listed in keys.values() for category in listed}
    if never:
        raise RecipeError(f"{name}: {', '.join(sorted(never))} is never modelled; remove it from {' and '.join(keys)}")


def shipped_recipes(folder: str = FOLDER) -> tuple[str, ...]:
    """The names of the recipes in the package."""
    items = _package().joinpath(folder).iterdir()
    return tuple(sorted(item.name.removesuffix(".yaml") for item in items if item.name.endswith(".yaml")))


def _package() -> Traversable:
    return resources.files("triton_models.training")
