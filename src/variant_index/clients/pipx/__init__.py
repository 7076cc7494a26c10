"""pipx behind the shim: the pip or uv that it runs is told through its variables."""
