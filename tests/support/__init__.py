"""Helpers that several tests share: captured logs, servers on a port, snapshots, expected values."""
