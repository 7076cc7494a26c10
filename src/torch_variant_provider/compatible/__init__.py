"""Stand-ins for the vendors' providers, under their names: a folder for the host's PYTHONPATH.

Published documents name the vendors' packages as `requires` and `plugin-api`. A host that runs
plugins (variantlib) then imports those names; with this folder first on its path it finds ours,
which answer the same vocabulary. It is never on the path by itself.
"""

__all__: list[str] = []
