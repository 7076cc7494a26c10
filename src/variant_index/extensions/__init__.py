"""Wheels built for one torch: which torch there is, which wheels go with it, what to say when none does."""
