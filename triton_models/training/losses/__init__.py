"""Losses of fine-tuning, one small file each with its formula: tensors in, a scalar out. No model, no data, no loop."""

from triton_models.training.losses.asymmetric import asymmetric_loss
from triton_models.training.losses.captions import caption_contrast
from triton_models.training.losses.class_prompts import class_prompt_contrast
from triton_models.training.losses.confounders import confounder_margin
from triton_models.training.losses.distil import distillation
from triton_models.training.losses.fgm import adversarial_shift
from triton_models.training.losses.group_gap import group_gap
from triton_models.training.losses.ordinal import ordinal_loss
from triton_models.training.losses.pairing import logit_pairing
from triton_models.training.losses.reversal import reverse_gradient

__all__ = [
    "adversarial_shift",
    "asymmetric_loss",
    "caption_contrast",
    "class_prompt_contrast",
    "confounder_margin",
    "distillation",
    "group_gap",
    "logit_pairing",
    "ordinal_loss",
    "reverse_gradient",
]
