"""uv behind the shim: `uv pip`, `uvx`, and `uv run` where it writes no lock file."""
