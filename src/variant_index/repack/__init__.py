"""Repacking: per-backend builds as variants of one release, by rules."""
