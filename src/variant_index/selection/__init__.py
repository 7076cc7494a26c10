"""Which wheel fits a machine best (PEP 825): pure functions from documents and profiles to verdicts."""
