"""Tests of the tools that search, sample and count calls."""
