"""pip-tools behind the shim: pip-compile and pip-sync, which use pip's configuration."""
