"""Variants documents of every published generation: reading them, and writing one as another."""
