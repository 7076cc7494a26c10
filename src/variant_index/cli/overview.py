"""The list of commands and the text of `variant-index --help`, readable without importing click.

Starting click takes longer than Python itself, and `--help` and `--version` are asked for often.
"""

from __future__ import annotations

__all__ = ["COMMANDS", "overview"]

COMMANDS: dict[str, str] = {
    "machine": "Show what this machine can run, and where each fact came from.",
    "label": "Turn ordinary wheels into variant wheels.",
    "repack": "Turn per-backend builds into variants of one release, by rules.",
    "convert": "Rewrite variants documents of one published form as another.",
    "check": "Find what is wrong with wheels, releases and indexes.",
    "build": "Write a static index of wheels and variants.",
    "add": "Add wheels to an index without the others at hand.",
    "remove": "Take releases or files out of an index.",
    "yank": "Mark releases so that installers no longer choose them.",
    "provenance": "Check offline who built files, by the attestations beside them.",
    "serve": "Serve a static index on loopback.",
    "providers": "Trust third-party providers, list them, and take that back.",
    "explain": "Show which variant of a release would be chosen, and why.",
    "run": "Run an installer behind the shim: uv, poetry, pdm, pip-tools, pipx.",
    "shim": "Run the variant-aware index in front of any installer.",
    "config": "Show the settings in effect, and where each was said.",
    "demo": "Install a small torch-like family as eight different machines.",
    "completion": "Print the shell completion script.",
}
"""Command name -> one-line summary. The command `x-y` lives in `variant_index.cli.x_y` as `command`."""

_EXAMPLES = """\
Examples:
  variant-index label torch-*.whl -p "nvidia :: cuda_version_lower_bound :: 12.8" --label cu128 --out wheels
  variant-index build wheels --out site
  variant-index explain torch --index-url http://127.0.0.1:8000/simple/
  variant-pip install torch --index-url http://127.0.0.1:8000/simple/
"""


def overview() -> str:
    """Return the help text of `variant-index`."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {summary}" for name, summary in COMMANDS.items()]
    return "\n".join(
        [
            "Usage: variant-index [OPTIONS] COMMAND [ARGS]...",
            "",
            "  Publish, choose and install wheel variants with unmodified installers.",
            "",
            "Options:",
            "  --version   Show the version and exit.",
            "  -h, --help  Show this message and exit.",
            "",
            "Commands:",
            *lines,
            "",
            "'variant-index COMMAND --help' tells more. To install, put variant-pip in the place of pip.",
            "",
            _EXAMPLES,
        ]
    )
