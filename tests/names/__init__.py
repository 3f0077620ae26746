"""Tests of names and ids."""
