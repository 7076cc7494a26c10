"""Who built a file: attestations beside it, bound to its name and bytes and checked offline (PEP 740)."""
