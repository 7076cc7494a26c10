"""The linter: wheels, releases and whole indexes against the table of rules."""
