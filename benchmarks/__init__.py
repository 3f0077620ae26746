"""Measurements against baselines: `python -m benchmarks`. They are not tests."""
