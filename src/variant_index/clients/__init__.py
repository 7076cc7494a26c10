"""Taking over an installer: one package each, from its arguments and configuration to its child process."""
