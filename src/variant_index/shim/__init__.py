"""The variant-aware index on loopback that stands between an installer and its sources."""
