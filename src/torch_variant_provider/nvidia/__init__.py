"""NVIDIA: where to learn the driver's CUDA version and the GPUs' compute capabilities, and what follows."""
