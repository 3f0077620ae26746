"""Tests of cleaning and masking text."""
