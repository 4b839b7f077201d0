"""Which tasks can share a process, and what is wrong if they cannot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pixie_pipe.pipeline.declarations import Role
from pixie_pipe.pipeline.problem import Problem

if TYPE_CHECKING:
    from pixie_pipe.pipeline.graph import Graph, Node


def shared_process_problems(graph: Graph) -> Iterable[Problem]:
    """Return what is wrong with the processes that tasks share.

    The tasks of a process take turns, each called by the one before it: one of them
    brings the data of all others, and what ends one of them ends all.
    """
    shared: defaultdict[str, list[Node]] = defaultdict(list)
    for node in graph.nodes.values():
        if node.process:
            shared[node.process].append(node)
    for process, members in shared.items():
        for node in members:
            yield from _member_problems(node, members, process)
        yield from _link_problems(graph, members, process)


def _member_problems(
    node: Node, members: Sequence[Node], process: str
) -> Iterable[Problem]:
    if node.workers > 1:
        yield Problem(
            node.name,
            f"{node.name} has {node.workers} workers, each a process, and cannot share "
            f"the process {process!r}; use 1 worker, or take `process` away",
            "process",
        )
    if node.role is Role.OPTIONAL and len(members) > 1:
        others = " and ".join(other.name for other in members if other is not node)
        yield Problem(
            node.name,
            f"{node.name} is optional, but would take {others} down with it in the "
            f"process {process!r}; take `process` away, or make it essential",
            "process",
        )


def _link_problems(
    graph: Graph, members: Sequence[Node], process: str
) -> Iterable[Problem]:
    names = [node.name for node in members]
    first = ""
    for name in (name for name in graph.in_order() if name in names):
        edges = graph.inputs(name)
        outside = [edge.producer for edge in edges if edge.producer not in names]
        if edges and not outside:
            for edge in edges:
                if edge.lossy:
                    yield Problem(
                        name,
                        f"{name} works in the process of {edge.producer}, so that "
                        f"nothing can be dropped between them; take `lossy` away",
                        "lossy",
                    )
        elif not first and len(outside) == len(edges):
            first = name
        else:
            producers = " and ".join(outside)
            reads = f"reads from {producers}" if producers else "reads nothing"
            yield Problem(
                name,
                f"{name} {reads}, but shares the process {process!r}, in which all "
                f"tasks but the first must read from tasks of that process alone; take "
                f"`process` away, or give it another one",
                "process",
            )
