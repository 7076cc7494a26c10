"""What the user has settled: one table of settings, read from options, variables and files."""
