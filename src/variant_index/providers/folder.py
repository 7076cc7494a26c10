"""Where this user's providers are; apart from their machinery so that asking loads nothing."""

from __future__ import annotations

from pathlib import Path

__all__ = ["TRUSTED", "providers_folder"]

TRUSTED = "trusted.json"
"""The file in the folder that lists what is trusted."""


def providers_folder() -> Path:
    """Return the folder, which may not exist."""
    from platformdirs import user_data_path

    return user_data_path("variant-index", appauthor=False) / "providers"
