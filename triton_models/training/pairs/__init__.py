"""Generated image-text pairs whose truth is known exactly, for training and judging the joint reading."""

from triton_models.training.pairs.icons import Icon, PairDataError, all_icons, find_icons, learned_icons
from triton_models.training.pairs.phrases import Family, Phrases, load_phrases
from triton_models.training.pairs.quadruples import Corner, Pair, PairPlan, build_pairs, pair_label
from triton_models.training.pairs.render import Style, render_icon

__all__ = [
    "Corner",
    "Family",
    "Icon",
    "Pair",
    "PairDataError",
    "PairPlan",
    "Phrases",
    "Style",
    "all_icons",
    "build_pairs",
    "find_icons",
    "learned_icons",
    "load_phrases",
    "pair_label",
    "render_icon",
]
