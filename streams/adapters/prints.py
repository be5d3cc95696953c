"""Pictures → fingerprints, in the media threads: digests of the bytes, PDQ of the look. Nothing is kept.

PDQ wants the picture at up to 512 pixels a side with its own proportions, as the reference shrinks it: from the square
that the model reads its hashes would differ from everybody else's by 10 to 40 bits (measured on the published ones).
"""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np

from streams.core.bank_index import Prints
from streams.core.events import ImagePart
from streams.core.pdq import pdq
from streams.ports import MediaFetcher
from triton_models.contract import OCR_HEADER
from triton_models.pixels import ImageRejected, decode_ocr_image

SIDE_PX: Final = 512


class PicturePrints:
    """Image parts → prints."""

    def __init__(self, media: MediaFetcher, *, max_pixels: int, threads: ThreadPoolExecutor) -> None:
        self._media = media
        self._max_pixels = max_pixels
        self._threads = threads

    async def prints(self, part: ImagePart, *, look: bool) -> Prints:
        """The picture's prints; MediaUnavailableError when its bytes cannot be had.

        `look`: whether PDQ is wanted, which takes ten times as long as the digests.
        """
        data = part.data if part.data is not None else await self._media.fetch(part.uri or "")
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, take_prints, data, look, self._max_pixels
        )


def take_prints(data: bytes, look: bool, max_pixels: int) -> Prints:  # noqa: FBT001  # called through an executor
    """The prints of a picture file. Blocking; milliseconds."""
    md5 = hashlib.md5(data, usedforsecurity=False).digest()  # what partners share; not for security
    sha256 = hashlib.sha256(data).digest()
    if not look:
        return Prints(md5, sha256, None)
    try:
        decoded = decode_ocr_image(data, max_pixels=max_pixels, long_side_px=SIDE_PX)
    except ImageRejected as exc:
        return Prints(md5, sha256, None, f"image.{exc.reason}")
    height, width = OCR_HEADER.unpack_from(decoded)
    pixels = np.frombuffer(decoded, dtype=np.uint8, offset=OCR_HEADER.size).reshape(height, width, 3)
    return Prints(md5, sha256, pdq(pixels))
