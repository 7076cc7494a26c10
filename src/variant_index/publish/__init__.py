"""From wheels to a static index: scan, group into releases, combine their variants, plan, write, serve."""
