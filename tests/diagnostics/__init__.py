"""Tests of the probe and of what is assumed of Liner."""
