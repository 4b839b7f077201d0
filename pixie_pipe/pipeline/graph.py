"""The graph of tasks: nodes, edges, and the check of the whole before anything runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pixie_pipe.pipeline.data import Kind
from pixie_pipe.pipeline.declarations import Category, Port, Role
from pixie_pipe.pipeline.links import DEFAULT_WINDOW
from pixie_pipe.pipeline.messages import Error
from pixie_pipe.pipeline.parameters import check_parameters, suggestion
from pixie_pipe.pipeline.problem import Problem
from pixie_pipe.pipeline.shared_process import shared_process_problems

if TYPE_CHECKING:
    from pixie_pipe.pipeline.task import Task

Path = tuple[str | int, ...]


class GraphError(Error):
    """Tasks that do not fit together; the text lists everything that is wrong."""


@dataclass(slots=True)
class Node:
    """A task of the graph.

    Attributes
    ----------
    name
        Unique name.
    kind
        Class of the task.
    parameters
        Values that were given.
    workers
        Number of processes that share the work.
    role
        What its end means for the run.
    process
        Name of the process that it shares with others; "" for one of its own.
    """

    name: str
    kind: type[Task]
    parameters: dict[str, Any] = field(default_factory=dict)
    workers: int = 1
    role: Role = Role.ESSENTIAL
    process: str = ""

    @property
    def all_parameters(self) -> dict[str, Any]:
        """Values of all parameters: the defaults, unless others were given."""
        known = self.kind.parameters
        return {name: known[name].default for name in known} | self.parameters

    @property
    def processes(self) -> list[str]:
        """Names of its processes."""
        if self.workers == 1:
            return [self.name]
        return [f"{self.name}.{number}" for number in range(1, self.workers + 1)]

    @property
    def is_tap(self) -> bool:
        """Whether it only looks: nothing is attached behind it unless told so."""
        return self.kind.category is Category.MONITOR


@dataclass(slots=True)
class Edge:
    """A consumer gets what a producer sends.

    Attributes
    ----------
    producer, consumer
        Names of nodes.
    lossy
        Whether data are dropped and counted when the consumer has too much to do;
        None means only for a tap while data are taken live.
    window_bytes
        Bytes that may be under way to one process.
    """

    producer: str
    consumer: str
    lossy: bool | None = None
    window_bytes: int = DEFAULT_WINDOW


@dataclass(slots=True)
class Graph:
    """Nodes and edges."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)

    def inputs(self, name: str) -> list[Edge]:
        """Return the edges that lead to a node."""
        return [edge for edge in self.edges if edge.consumer == name]

    def outputs(self, name: str) -> list[Edge]:
        """Return the edges that leave a node."""
        return [edge for edge in self.edges if edge.producer == name]

    def is_source(self, name: str) -> bool:
        """Tell whether a node makes data."""
        return not self.inputs(name) and not self.nodes[name].kind.reads

    @property
    def is_live(self) -> bool:
        """Whether any source takes data now, rather than reading old ones."""
        return any(
            node.kind.live for name, node in self.nodes.items() if self.is_source(name)
        )

    def is_lossy(self, edge: Edge) -> bool:
        """Tell whether an edge may drop data."""
        if self.is_direct(edge):
            return False
        if edge.lossy is not None:
            return edge.lossy
        return self.is_live and self.nodes[edge.consumer].is_tap

    def is_direct(self, edge: Edge) -> bool:
        """Tell whether both ends are in one process, so that data go by a call."""
        process = self.nodes[edge.producer].process
        return bool(process) and self.nodes[edge.consumer].process == process

    def process_members(self) -> list[dict[str, Node]]:
        """Return the tasks of each process by name, producers first.

        A process has one worker of a pool, a task, or several tasks.
        """
        shared: dict[str, dict[str, Node]] = {}
        members = []
        for name in self.in_order():
            node = self.nodes[name]
            if node.process and node.process in shared:
                shared[node.process][name] = node
                continue
            own = [{process: node} for process in node.processes]
            members += own
            if node.process:
                shared[node.process] = own[0]
        return members

    def in_order(self) -> list[str]:
        """Return the names of the nodes, producers before their consumers.

        Raises
        ------
        GraphError
            If there is a cycle.
        """
        waiting = {name: len(self.inputs(name)) for name in self.nodes}
        order = [name for name, count in waiting.items() if count == 0]
        for name in order:
            for edge in self.outputs(name):
                waiting[edge.consumer] -= 1
                if waiting[edge.consumer] == 0:
                    order.append(edge.consumer)
        if len(order) < len(self.nodes):
            cycle = self._cycle({*self.nodes} - {*order})
            raise GraphError(
                f"data would go round in a circle: {' -> '.join(cycle)} -> {cycle[0]}; "
                f"take one of these links away"
            )
        return order

    def _cycle(self, names: set[str]) -> list[str]:
        """Return a cycle among nodes all of which have a producer among them."""
        way = [next(name for name in self.nodes if name in names)]
        while True:
            producers = (edge.producer for edge in self.inputs(way[-1]))
            before = next(name for name in producers if name in names)
            if before in way:
                cycle = way[way.index(before) :][::-1]
                first = cycle.index(next(name for name in self.nodes if name in cycle))
                return cycle[first:] + cycle[:first]
            way.append(before)

    def problems(self) -> list[Problem]:
        """Return everything that is wrong, most fundamental first."""
        if not self.nodes:
            return [Problem("", "there are no tasks; create one first")]
        found = list(_parameter_problems(self.nodes.values()))
        dangling = list(_dangling(self))
        if dangling:
            return found + dangling
        try:
            order = self.in_order()
        except GraphError as error:
            return [*found, Problem("", str(error))]
        found += _double_links(self)
        found += _role_problems(self)
        found += _pool_problems(self)
        found += shared_process_problems(self)
        found += _Flow(self).problems(order)
        return found


def _parameter_problems(nodes: Iterable[Node]) -> Iterable[Problem]:
    for node in nodes:
        _, wrong = check_parameters(node.kind.parameters, node.parameters, node.name)
        for name, text in wrong:
            yield Problem(node.name, text, name)
        if node.workers < 1:
            text = f"{node.name} has {node.workers} workers, expected at least 1"
            yield Problem(node.name, text, "workers")


def _dangling(graph: Graph) -> Iterable[Problem]:
    for edge in graph.edges:
        for name in (edge.producer, edge.consumer):
            if name not in graph.nodes:
                other = edge.consumer if name == edge.producer else edge.producer
                hint = suggestion(name, graph.nodes)
                known = ", ".join(graph.nodes)
                text = f"there is no task {name!r} to link with {other}{hint}"
                yield Problem(other, f"{text} (there are: {known})", "from")
        if edge.producer == edge.consumer:
            yield Problem(
                edge.consumer,
                f"{edge.consumer} reads from itself; take this link away",
                "from",
            )


def _double_links(graph: Graph) -> Iterable[Problem]:
    links = Counter((edge.producer, edge.consumer) for edge in graph.edges)
    for (producer, consumer), times in links.items():
        if times > 1:
            yield Problem(
                consumer,
                f"{consumer} is linked with {producer} {times} times; link them once",
                "from",
            )


def _role_problems(graph: Graph) -> Iterable[Problem]:
    for edge in graph.edges:
        producer, consumer = graph.nodes[edge.producer], graph.nodes[edge.consumer]
        if producer.role is Role.OPTIONAL and consumer.role is Role.ESSENTIAL:
            yield Problem(
                consumer.name,
                f"{consumer.name} is essential, but reads from {producer.name}, which "
                f"is optional: make {consumer.name} optional or {producer.name} "
                f"essential",
                "role",
            )


def _pool_problems(graph: Graph) -> Iterable[Problem]:
    for node in graph.nodes.values():
        if node.workers == 1:
            continue
        if not node.kind.can_pool:
            yield Problem(
                node.name,
                f"{node.name} cannot have {node.workers} workers: a "
                f"{node.kind.__name__} must see all data; use 1",
                "workers",
            )
        for edge in graph.inputs(node.name):
            if graph.nodes[edge.producer].workers > 1:
                yield Problem(
                    node.name,
                    f"{node.name} has {node.workers} workers and reads from "
                    f"{edge.producer}, which has workers, too; put a task with one "
                    f"process between them, or use 1 worker in one of them",
                    "workers",
                )


Available = Mapping[Kind, frozenset[str]] | None
"""Kinds that arrive, with the columns of events; None: nobody can tell."""


class _Flow:
    """What kinds of data and columns arrive where."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._out: dict[str, Available] = {}

    def problems(self, order: Iterable[str]) -> list[Problem]:
        found: list[Problem] = []
        for name in order:
            node = self._graph.nodes[name]
            edges = self._graph.inputs(name)
            sources = list(dict.fromkeys(edge.producer for edge in edges))
            if not sources and node.kind.reads:
                found.append(_no_input(node, self._graph))
                self._out[name] = None
                continue
            arriving = _joined([self._out[source] for source in sources])
            if sources:
                found += _unmet(node, sources, arriving)
            self._out[name] = _leaving(node, arriving, bool(sources))
        return found


def _no_input(node: Node, graph: Graph) -> Problem:
    needed = [port for port in node.kind.reads or () if not port.optional]
    reads = " or ".join(map(str, needed))
    writers = _writers(graph, lambda written: _matches(node, written))
    hint = f"link it with {writers}, or " if writers else ""
    text = (
        f"{node.name} reads {reads or 'data'}, but nothing is linked to it and it is "
        f"no source: {hint}put a source in front of it (LoadFiles, DummyData, TakeData)"
    )
    return Problem(node.name, text, "from", missing_input=True)


def _matches(node: Node, written: Port) -> bool:
    return any(port.kind == written.kind for port in node.kind.reads or ())


def _writers(graph: Graph, fits: Callable[[Port], bool]) -> str:
    names = [
        node.name
        for node in graph.nodes.values()
        if any(fits(port) for port in node.kind.writes or ())
    ]
    return " or ".join(names)


def _joined(available: Iterable[Available]) -> Available:
    joined: dict[Kind, frozenset[str]] = {}
    for item in available:
        if item is None:
            return None
        for kind, columns in item.items():
            # A column is surely there only if all producers of the kind have it.
            joined[kind] = joined[kind] & columns if kind in joined else columns
    return joined


def _unmet(node: Node, sources: list[str], arriving: Available) -> Iterable[Problem]:
    names = " and ".join(sources)
    if node.kind.reads is not None and not node.kind.reads:
        yield Problem(
            node.name,
            f"{node.name} is a source and reads nothing, but is linked with {names}; "
            f"take this link away",
            "from",
        )
        return
    if arriving is None or node.kind.reads is None:
        return
    needed = [port for port in node.kind.reads if not port.optional]
    if needed and not any(port.kind in arriving for port in needed):
        has = ", ".join(kind for kind in arriving if kind is not Kind.MARKS)
        has = has or "nothing"
        wanted = " or ".join(port.kind for port in needed)
        yield Problem(
            node.name,
            f"{node.name} reads {wanted}, but {names} sends {has}"
            f"{_advice(needed[0].kind)}",
            "from",
        )
        return
    for port in needed:
        missing = sorted(port.columns - arriving.get(port.kind, port.columns))
        if missing:
            yield Problem(
                node.name,
                f"{node.name} needs the column {', '.join(missing)} of {port.kind}, "
                f"which {names} does not send",
                "from",
            )


def _advice(kind: Kind) -> str:
    makers = {
        Kind.CHUNKS: "GatherData",
        Kind.EVENTS: "ConvertToEvents",
        Kind.WORDS: "LoadFiles, DummyData or TakeData",
    }
    return f"; {makers[kind]} makes {kind}" if kind in makers else ""


def _leaving(node: Node, arriving: Available, has_input: bool) -> Available:  # noqa: FBT001
    kind = node.kind
    if kind.writes is None:
        return None
    read = {port.kind for port in kind.reads or ()}
    # What it leaves as it is has the columns that nobody can tell.
    leaves = kind.reads is None or any(port.kind in read for port in kind.writes)
    if has_input and arriving is None and leaves:
        return None
    passed = {} if arriving is None else dict(arriving)
    leaving = {name: columns for name, columns in passed.items() if name not in read}
    for port in kind.writes:
        own = port.columns | port.optional_columns
        leaving[port.kind] = own | passed.get(port.kind, frozenset())
    if not has_input or arriving is None:
        leaving.setdefault(Kind.MARKS, frozenset())
    return leaving


def main_line(nodes: Iterable[Node]) -> list[Edge]:
    """Link nodes one behind the other; taps hang at the line and nothing at them.

    Several sources in a row all feed the next task.
    """
    edges: list[Edge] = []
    feeding: list[Node] = []
    for node in nodes:
        is_source = node.kind.reads is not None and not node.kind.reads
        if is_source:
            only_sources = all(other.kind.reads == () for other in feeding)
            feeding = [*feeding, node] if only_sources else [node]
            continue
        edges += [Edge(other.name, node.name) for other in feeding]
        if not (node.is_tap and feeding):
            feeding = [node]
    return edges
