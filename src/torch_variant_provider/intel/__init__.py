"""Intel: where to learn the GPUs' device IP versions, and what follows."""
