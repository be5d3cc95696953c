"""Pictures made fit to show: so small and blurred that colours are left and nothing else."""

from __future__ import annotations

import base64
from io import BytesIO

from PIL import Image, ImageFilter

from triton_models.contract import IMAGE_SIZE_PX
from triton_models.pixels import ImageRejected, decode_image

GRAIN_PX = 7  # what is kept of the picture: 7 x 7 spots
SHOWN_PX = 96


def blurred_thumbnail(data: bytes) -> str:
    """A data: URL of about a kilobyte; empty when the bytes are no picture that Weir reads."""
    try:
        pixels = decode_image(data)
    except ImageRejected:
        return ""
    picture = Image.frombytes("RGB", (IMAGE_SIZE_PX, IMAGE_SIZE_PX), pixels)
    spots = picture.resize((GRAIN_PX, GRAIN_PX), Image.Resampling.BOX)
    shown = spots.resize((SHOWN_PX, SHOWN_PX), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(7))
    out = BytesIO()
    shown.save(out, "JPEG", quality=60)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()
