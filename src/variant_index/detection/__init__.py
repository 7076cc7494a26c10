"""What a machine can run: this one, asked of the provider in a process of its own, or another one."""

from variant_index.detection.failure import DetectionError
from variant_index.detection.settings import DetectionSettings

__all__ = ["DetectionError", "DetectionSettings"]
