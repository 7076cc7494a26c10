"""Wheels as files: read them strictly, and rewrite them without touching their payload."""
