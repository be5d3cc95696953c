"""Both pretrained towers inside one open_clip model: where fine-tuning starts.

`CustomTextCLIP` with timm's EfficientNet-Lite0 and a Hugging Face BERT, their weights from the parts and their
projections from the alignment, so that before any training `encode_image` and `encode_text` give what is served.
Nothing is downloaded. Needs the train extra.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from open_clip import CustomTextCLIP
from torch import nn

from triton_models.contract import EMBEDDING_WIDTH, IMAGE_SIZE_PX
from triton_models.parts import E5Model
from triton_models.serving.joint_space import TEMPERATURE
from triton_models.training.align import Alignment

Arrays = Mapping[str, npt.NDArray[Any]]

#: E5's short names -> Hugging Face's, inside one layer.
_LAYER_NAMES: Final = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


class CentredText(nn.Module):
    """The text projection at the start: unit(pooled) - centre; what follows makes it unit length again."""

    def __init__(self, centre: torch.Tensor) -> None:
        super().__init__()
        self.centre = nn.Parameter(centre)

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        """`[B, D]` to `[B, D]`."""
        return nn.functional.normalize(pooled, dim=-1) - self.centre


class NamedImage(nn.Module):
    """The image projection at the start: a linear map, and what the classifier names (`serving/joint_space.py`)."""

    def __init__(self, alignment: Alignment, classifier: npt.NDArray[Any], bias: npt.NDArray[Any]) -> None:
        super().__init__()
        self.map = nn.Parameter(torch.from_numpy(np.ascontiguousarray(alignment.image_map)))
        self.classifier = nn.Parameter(torch.from_numpy(classifier))
        self.bias = nn.Parameter(torch.from_numpy(bias))
        self.class_vectors = nn.Parameter(torch.from_numpy(np.ascontiguousarray(alignment.class_vectors)))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """`[B, F]` to `[B, D]`."""
        mapped = nn.functional.normalize(features @ self.map, dim=-1)
        shares = ((features @ self.classifier.T + self.bias) / TEMPERATURE).softmax(dim=-1)
        return mapped + nn.functional.normalize(shares @ self.class_vectors, dim=-1)


def build_clip(text: E5Model, image: Arrays, alignment: Alignment) -> CustomTextCLIP:
    """The model with every weight loaded, in eval mode.

    `image` holds timm's names (`read_lite0`). Pixels go in as `(x / 255 - .5) / .5`, `[B, 3, 224, 224]`; tokens as
    int64 `[B, T]` padded with the vocabulary's padding piece.
    """
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(_bert_config(text)), encoding="utf-8")
        model = CustomTextCLIP(
            embed_dim=EMBEDDING_WIDTH,
            vision_cfg={
                "timm_model_name": "tf_efficientnet_lite0",
                "timm_model_pretrained": False,
                "timm_pool": "avg",
                "timm_proj": "linear",
                "image_size": IMAGE_SIZE_PX,
            },
            text_cfg={
                "hf_model_name": folder,
                "hf_tokenizer_name": folder,
                "hf_model_pretrained": False,
                "hf_pooler_type": "mean_pooler",
                "hf_proj_type": None,
            },
        )
    model.text.transformer.load_state_dict(_tensors(bert_weights(text)))
    trunk = {name: values for name, values in image.items() if not name.startswith("classifier.")}
    model.visual.trunk.load_state_dict(_tensors(trunk))
    model.visual.head = NamedImage(alignment, image["classifier.weight"], image["classifier.bias"])
    model.text.proj = CentredText(torch.from_numpy(alignment.text_centre))
    return model.eval()


def bert_weights(text: E5Model) -> dict[str, npt.NDArray[np.float32]]:
    """The text tower's tensors under Hugging Face's names."""
    found = {
        "embeddings.word_embeddings.weight": text.array("emb.word"),
        "embeddings.position_embeddings.weight": text.array("emb.pos"),
        "embeddings.token_type_embeddings.weight": text.array("emb.type"),
        "embeddings.LayerNorm.weight": text.array("emb.ln.w"),
        "embeddings.LayerNorm.bias": text.array("emb.ln.b"),
    }
    for layer in range(text.shape.layers):
        for short, long in _LAYER_NAMES.items():
            for leaf, word in (("w", "weight"), ("b", "bias")):
                found[f"encoder.layer.{layer}.{long}.{word}"] = text.array(f"l{layer}.{short}.{leaf}")
    return found


def _bert_config(text: E5Model) -> dict[str, Any]:
    shape = text.shape
    return {
        "model_type": "bert",
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.ffn,
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": shape.positions,
        "type_vocab_size": shape.types,
        "layer_norm_eps": shape.epsilon,
        "hidden_act": "gelu",
        "pad_token_id": text.vocabulary.pad,
    }


def _tensors(arrays: Arrays) -> dict[str, torch.Tensor]:
    """Copies: the arrays may be views of a file that is mapped read-only."""
    return {name: torch.from_numpy(np.array(values)) for name, values in arrays.items()}
