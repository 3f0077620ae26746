"""Tests of storey 2, which answers a reviewer's question."""
