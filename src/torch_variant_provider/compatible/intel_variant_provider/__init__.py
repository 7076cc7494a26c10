"""Stands in for the package of this name."""

__all__: list[str] = []
