"""The demonstration: a small torch-like project, installed as eight different machines."""
