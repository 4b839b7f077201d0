"""Which tasks a pipeline has, and how they are linked."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from pixie_pipe.pipeline.graph import Edge, Graph, GraphError, Node, main_line
from pixie_pipe.pipeline.links import DEFAULT_WINDOW
from pixie_pipe.pipeline.parameters import suggestion


class PipelineWarning(UserWarning):
    """Something in the pipeline that is allowed, but hardly meant."""


class PipelineGraph:
    """The part of a pipeline that knows its tasks and links.

    Attributes
    ----------
    graph
        All tasks, and the links as of the last `connect`.
    """

    def __init__(self) -> None:
        self.graph = Graph()
        self._links: list[Edge] = []
        self._line: list[str] | None = None
        self._connected = False

    def _free_label(self, name: str) -> str:
        label, number = name, 1
        while label in self.graph.nodes:
            number += 1
            label = f"{name}-{number}"
        return label

    def link(
        self,
        producer: str,
        consumer: str,
        *,
        lossy: bool | None = None,
        window_bytes: int = DEFAULT_WINDOW,
    ) -> None:
        """Let a task read from another one, in place of the one created before it.

        Parameters
        ----------
        producer, consumer
            Names of tasks.
        lossy
            Whether data are dropped and counted when the consumer is too slow; None:
            only for a tap, while data are taken live.
        window_bytes
            Bytes that may be under way to one process.
        """
        self._known(producer)
        self._known(consumer)
        self._line = None
        self._links.append(Edge(producer, consumer, lossy, window_bytes))
        self._connected = False

    def _known(self, name: str) -> Node:
        if name not in self.graph.nodes:
            raise ValueError(
                f"there is no task {name!r}{suggestion(name, self.graph.nodes)} "
                f"(there are: {', '.join(self.graph.nodes) or 'none'})"
            )
        return self.graph.nodes[name]

    def _labels(self, name: str) -> list[str]:
        labels = [
            label
            for label, node in self.graph.nodes.items()
            if name in (label, node.kind.__name__)
        ]
        if not labels:
            self._known(name)
        return labels

    def _edges(self, line: Sequence[str]) -> list[Edge]:
        """Return all links: those asked for, and the line through the others."""
        placed = {edge.consumer for edge in self._links if edge.producer}
        nodes = [self.graph.nodes[name] for name in line]
        edges = [edge for edge in main_line(nodes) if edge.consumer not in placed]
        wishes = {edge.consumer: edge for edge in self._links if not edge.producer}
        for edge in edges:
            if edge.consumer in wishes:
                edge.lossy = wishes[edge.consumer].lossy
        active = set(line)
        asked = [edge for edge in self._links if edge.producer]
        return edges + [
            edge for edge in asked if edge.consumer in active or edge.producer in active
        ]

    def _check(self, line: Sequence[str], depth: int) -> None:
        """Check the tasks of a run and their links; warnings go to a caller's line."""
        graph = Graph(
            {name: self.graph.nodes[name] for name in line}, self._edges(line)
        )
        wrong = []
        for problem in graph.problems():
            if problem.missing_input:
                text = f"{problem.text}. It waits until it is stopped."
                warnings.warn(text, PipelineWarning, stacklevel=depth + 1)
            else:
                wrong.append(problem.text)
        if wrong:
            raise GraphError("\n".join(wrong))
        self.graph.edges[:] = graph.edges

    def _active_nodes(self) -> list[Node]:
        names = self._line if self._line is not None else list(self.graph.nodes)
        return [self.graph.nodes[name] for name in names]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.graph.nodes)
