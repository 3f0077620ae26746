"""Tests of storey 1, which speaks Liner's HTTP API."""
