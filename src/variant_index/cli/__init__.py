"""The command line: one module a command, imported only when it runs.

`main` is the entry point of `variant-index`; `variant_pip.main` is that of `variant-pip`.
"""

from variant_index.cli.main import main

__all__ = ["main"]
