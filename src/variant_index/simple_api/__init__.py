"""Project pages of the simple API (PEP 503, PEP 691): the values, reading them and writing them."""
