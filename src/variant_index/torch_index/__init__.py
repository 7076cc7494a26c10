"""PyTorch's indexes, one folder a backend, read as one index of variants."""
