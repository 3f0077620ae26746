"""The demo Liner: an ASGI application over a synthetic call centre, for a first try without an account.

It follows Liner's published documentation and shares no code with the client that reads it. Otherwise a mistake in
shared code would cancel itself out.
"""

from liner_mcp.demo.app import DemoLiner
from liner_mcp.demo.dataset import Dataset
from liner_mcp.demo.entities import Agent, Call, Record

__all__ = ["Agent", "Call", "Dataset", "DemoLiner", "Record"]
