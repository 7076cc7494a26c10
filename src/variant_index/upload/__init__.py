"""Uploads with the usual tools, as `twine upload` and `uv publish` send them: form → file → index."""
