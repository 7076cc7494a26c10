"""Variant markers in the requirements of a wheel, decided for that wheel (PEP 825, "Environment markers")."""
