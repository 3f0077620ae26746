"""Tests of what users install: the bundle, the wheel, and the links."""
