"""pdm behind the shim, through a plugin that lives as long as the command."""
