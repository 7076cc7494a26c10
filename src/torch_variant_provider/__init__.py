"""Wheel variant providers: what can this machine run? (PEP 817, PEP 825.)"""

__version__ = "0.1.0"
