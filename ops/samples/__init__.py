"""The bundled sample events: well-formed ones of every kind and hostile bytes, each with what must become of it."""

from ops.samples.mask import mask_text
from ops.samples.sample import EVENTS, MEDIA, Expectation, Sample, load_samples, read_samples

__all__ = ["EVENTS", "MEDIA", "Expectation", "Sample", "load_samples", "mask_text", "read_samples"]
