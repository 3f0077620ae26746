"""Tests of the form of an answer."""
