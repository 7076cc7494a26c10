"""`python -m variant_index.cli` is `variant-index`."""

import sys

from variant_index.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
