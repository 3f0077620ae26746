"""The one lazy import of the code that answers questions.

Hosts start a server long before the first question, often several servers at once, and wait for the list of tools. So
the code that reads Liner and writes answers is imported with the first question, all of it at once.
"""

from __future__ import annotations


def answering():  # noqa: ANN201 - the type is that module, which has no name that could be written here
    """The module `answering`; the first call imports it."""
    from liner_mcp.server import answering

    return answering
