"""The figures we promise, measured against their peers in one run: `python -m benchmarks`."""
