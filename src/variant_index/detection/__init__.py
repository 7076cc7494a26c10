"""What this machine can run, asked of the provider in a process of its own."""

from variant_index.detection.child import DetectionError, detect_machine

__all__ = ["DetectionError", "detect_machine"]
