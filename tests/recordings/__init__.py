"""Tests of downloading recordings."""
