"""Serving a team: the same server over Streamable HTTP, behind what a port on a network needs."""
