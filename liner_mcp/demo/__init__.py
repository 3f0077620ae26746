"""A make-believe Liner: an ASGI application over a synthetic call centre, for a first try, for tests and benchmarks.

It follows Liner's published documentation and shares no code with the client that reads it: were a mistake shared, it
would cancel out.
"""

from liner_mcp.demo.app import DemoLiner
from liner_mcp.demo.endpoints import DictionaryPaths, Habits, LastPage, RecordList
from liner_mcp.demo.entities import (
    Agent,
    AgentGroup,
    Call,
    CallStatus,
    CustomField,
    Lead,
    LeadStatus,
    Order,
    Record,
    SipEndpoint,
)
from liner_mcp.demo.faults import FAULTS, Every, Fault, First, Share
from liner_mcp.demo.world import World

__all__ = [
    "FAULTS",
    "Agent",
    "AgentGroup",
    "Call",
    "CallStatus",
    "CustomField",
    "DemoLiner",
    "DictionaryPaths",
    "Every",
    "Fault",
    "First",
    "Habits",
    "LastPage",
    "Lead",
    "LeadStatus",
    "Order",
    "Record",
    "RecordList",
    "Share",
    "SipEndpoint",
    "World",
]
