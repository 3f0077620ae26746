"""Tests of the client of Liner's HTTP API."""
