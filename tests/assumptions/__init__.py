"""Tests of what is assumed of Liner."""
