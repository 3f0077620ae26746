"""Tests of the telemetry: which is chosen, what is measured, what leaves."""
