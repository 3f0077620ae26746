"""Tests of the tools that read call records."""
