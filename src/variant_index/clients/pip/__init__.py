"""The user's own pip, behind the shim."""
