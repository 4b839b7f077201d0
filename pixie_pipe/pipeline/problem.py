"""What can be wrong in a graph of tasks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in the graph.

    Attributes
    ----------
    node
        Name of the node, or "" for the graph as a whole.
    text
        What is wrong, and what to do.
    field
        Parameter or setting of the node that is wrong, or "".
    missing_input
        Whether it is a first task that waits for data: in a session it may.
    """

    node: str
    text: str
    field: str = ""
    missing_input: bool = False
