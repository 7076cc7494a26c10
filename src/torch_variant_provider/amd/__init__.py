"""AMD: where to learn the GPUs' architectures and the kernel driver's release, and what follows."""
