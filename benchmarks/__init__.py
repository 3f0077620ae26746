"""Measurements against baselines, run on purpose and never as tests: `python -m benchmarks`."""
