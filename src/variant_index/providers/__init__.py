"""Third-party variant providers: run only when the user trusts exactly these bytes, and apart from us."""
