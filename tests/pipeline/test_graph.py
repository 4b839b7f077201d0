"""The check of a graph: every wrong thing, by the names of the tasks, with advice."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tests.support.pipeline_tasks  # noqa: F401 - registers the tasks
from pixie_pipe.pipeline import (
    Edge,
    Graph,
    GraphError,
    Kind,
    Node,
    PipelineWarning,
    Role,
    Task,
    port,
    registry,
)
from pixie_pipe.pipeline.graph import main_line

LINE = ("DummyData", "GatherData", "ConvertToEvents", "SortEvents", "WriteEvents")


class NeedsTraces(Task):
    """Needs columns that few tasks surely send."""

    reads = (port(Kind.EVENTS, ("energy", "trace_offsets", "qdc")),)
    writes = ()


class SendsTraces(Task):
    """Surely sends one of them."""

    reads = ()
    writes = (
        port(Kind.EVENTS, ("energy", "trace_offsets"), optional_columns=("qdc",)),
    )


class SendsEnergies(Task):
    """Sends none of them."""

    reads = ()
    writes = (port(Kind.EVENTS, ("energy",)),)


# Looking for a class takes a while: other packages may have announced it.
find_class = functools.cache(registry.find_class)


def node(name: str, kind: str = "", **settings: Any) -> Node:
    return Node(name, find_class(kind or name), **settings)


def chain(*nodes: Node | str, more: Iterable[tuple[str, str]] = ()) -> Graph:
    """Return a graph in which each node reads from the one before, and more links."""
    made = [node(item) if isinstance(item, str) else item for item in nodes]
    pairs = [(a.name, b.name) for a, b in itertools.pairwise(made)]
    return Graph(
        {item.name: item for item in made}, [Edge(*pair) for pair in (*pairs, *more)]
    )


def texts(graph: Graph) -> list[str]:
    return [problem.text for problem in graph.problems()]


@pytest.mark.parametrize("source", ["DummyData", "LoadFiles", "TakeData"])
def test_the_usual_line_is_right(source):
    graph = chain(source, *LINE[1:], node("FillHistograms", role=Role.OPTIONAL))
    assert texts(graph) == []


def test_a_graph_without_tasks():
    assert texts(Graph()) == ["there are no tasks; create one first"]


def test_a_cycle_names_its_tasks_in_the_order_of_the_data_and_no_others():
    graph = chain(
        "Numbers", node("a", "Double"), node("b", "Double"), node("c", "Double"),
        node("behind", "Collect"), more=[("c", "a")],
    )  # fmt: skip
    assert texts(graph) == [
        (
            "data would go round in a circle: a -> b -> c -> a; take one of these "
            "links away"
        )
    ]


def test_a_task_that_reads_from_itself():
    graph = chain("Numbers", "Double", more=[("Double", "Double")])
    assert texts(graph) == ["Double reads from itself; take this link away"]


@pytest.mark.parametrize(
    ("link", "other"),
    [(("Numbrs", "Double"), "Double"), (("Double", "Numbrs"), "Double")],
)
def test_a_link_with_nobody_names_who_is_meant(link, other):
    graph = chain("Numbers", "Double", more=[link])
    (problem,) = graph.problems()
    assert problem.node == other
    assert problem.field == "from"
    assert problem.text == (
        "there is no task 'Numbrs' to link with Double; did you mean 'Numbers'? "
        "(there are: Numbers, Double)"
    )


def test_two_tasks_that_are_linked_twice():
    graph = chain("Numbers", "Collect", more=[("Numbers", "Collect")])
    (problem,) = graph.problems()
    assert problem.text == "Collect is linked with Numbers 2 times; link them once"
    assert (problem.node, problem.field) == ("Collect", "from")


def test_a_source_that_is_linked_behind_another_task():
    graph = chain("Numbers", node("more", "Numbers"), "Collect")
    assert texts(graph) == [
        (
            "more is a source and reads nothing, but is linked with Numbers; take this "
            "link away"
        )
    ]


@pytest.mark.parametrize(
    ("writer", "reader", "text"),
    [
        (
            "DummyData", "ConvertToEvents",
            ("ConvertToEvents reads chunks, but DummyData sends words; GatherData "
            "makes chunks"),
        ),
        (
            "DummyData", "SortEvents",
            ("SortEvents reads events, but DummyData sends words; ConvertToEvents "
            "makes events"),
        ),
        (
            "SendsEnergies", "GatherData",
            ("GatherData reads words, but SendsEnergies sends events; LoadFiles, "
            "DummyData or TakeData makes words"),
        ),
    ],
)  # fmt: skip
def test_a_reader_and_a_writer_of_other_data_are_both_named(writer, reader, text):
    (problem,) = chain(writer, reader).problems()
    assert problem.text == text
    assert (problem.node, problem.field) == (reader, "from")


def test_a_task_that_sends_nothing():
    graph = chain(
        *LINE[:-1], node("FillHistograms", role=Role.ESSENTIAL), "WriteEvents"
    )
    (text,) = texts(graph)
    assert text.startswith("WriteEvents reads events, but FillHistograms sends ")
    assert "ConvertToEvents makes events" in text


def test_columns_that_are_missing_are_named():
    assert texts(chain("SendsTraces", "NeedsTraces")) == []
    assert texts(chain("SendsEnergies", "NeedsTraces")) == [
        (
            "NeedsTraces needs the column qdc, trace_offsets of events, which "
            "SendsEnergies does not send"
        )
    ]


def test_a_column_is_there_only_if_all_producers_send_it():
    graph = Graph(
        {name: node(name) for name in ("SendsTraces", "SendsEnergies", "NeedsTraces")},
        [Edge("SendsTraces", "NeedsTraces"), Edge("SendsEnergies", "NeedsTraces")],
    )
    assert texts(graph) == [
        (
            "NeedsTraces needs the column qdc, trace_offsets of events, which "
            "SendsTraces and SendsEnergies does not send"
        )
    ]


def test_columns_pass_through_tasks_that_leave_them_as_they_are():
    assert texts(chain("SendsTraces", "SortEvents", "NeedsTraces")) == [
        (
            "SortEvents needs the column crate, slot, time_ps of events, which "
            "SendsTraces does not send"
        )
    ]
    assert texts(chain("SendsTraces", "GatherEvents", "NeedsTraces")) == []


def test_behind_a_task_that_does_not_tell_what_it_sends_nothing_is_missing():
    assert texts(chain("SendsEnergies", "Double", "NeedsTraces")) == []


def test_a_task_that_declares_nothing_fits_anywhere():
    declares_nothing = node("mine", "OnlyWork")
    for place in range(1, len(LINE) + 1):
        graph = chain(*LINE[:place], declares_nothing, *LINE[place:])
        assert texts(graph) == []


def test_a_pool_behind_a_pool():
    graph = chain(
        "DummyData", "GatherData", node("ConvertToEvents", workers=2),
        node("PickSingleModule", workers=3),
    )  # fmt: skip
    (problem,) = graph.problems()
    assert problem.text == (
        "PickSingleModule has 3 workers and reads from ConvertToEvents, which has "
        "workers, too; put a task with one process between them, or use 1 worker in "
        "one of them"
    )
    assert problem.field == "workers"


def test_a_task_that_must_see_all_data_has_no_workers():
    (problem,) = chain(*LINE[:3], node("sort", "SortEvents", workers=2)).problems()
    assert problem.text == (
        "sort cannot have 2 workers: a SortEvents must see all data; use 1"
    )
    assert (problem.node, problem.field) == ("sort", "workers")


@pytest.mark.parametrize("workers", [0, -1])
def test_fewer_workers_than_one(workers):
    graph = chain("Numbers", node("Double", workers=workers))
    assert texts(graph) == [f"Double has {workers} workers, expected at least 1"]


def test_an_essential_task_behind_an_optional_one():
    graph = chain(*LINE[:3], node("SortEvents", role=Role.OPTIONAL), "WriteEvents")
    (problem,) = graph.problems()
    assert problem.text == (
        "WriteEvents is essential, but reads from SortEvents, which is optional: make "
        "WriteEvents optional or SortEvents essential"
    )
    assert (problem.node, problem.field) == ("WriteEvents", "role")


def test_a_line_without_a_source_says_what_could_be_in_front():
    (problem,) = chain(*LINE[2:]).problems()
    assert problem.missing_input
    assert problem.text == (
        "ConvertToEvents reads chunks, but nothing is linked to it and it is no "
        "source: put a source in front of it (LoadFiles, DummyData, TakeData)"
    )


def test_a_reader_without_input_names_the_task_that_could_feed_it():
    graph = Graph({name: node(name) for name in LINE[:3]}, [Edge(*LINE[:2])])
    (problem,) = graph.problems()
    assert problem.missing_input
    assert problem.text == (
        "ConvertToEvents reads chunks, but nothing is linked to it and it is no "
        "source: link it with GatherData, or put a source in front of it (LoadFiles, "
        "DummyData, TakeData)"
    )


def test_wrong_parameters_name_the_task_and_the_parameter():
    wrong = {"rate_hz": -1.0, "evnts": 3}
    problems = chain(node("dummy", "DummyData", parameters=wrong)).problems()
    assert [(p.node, p.field) for p in problems] == [
        ("dummy", "rate_hz"), ("dummy", "evnts"),
    ]  # fmt: skip
    assert problems[0].text.startswith("dummy.rate_hz is -1")
    assert "dummy has no parameter 'evnts'; did you mean 'events'?" in problems[1].text


def test_all_that_is_wrong_is_told_at_once():
    graph = chain(
        node("DummyData", parameters={"rate_hz": "fast"}),
        "GatherData",
        node("ConvertToEvents", workers=2, role=Role.OPTIONAL),
        node("PickSingleModule", workers=2),
        node("SortEvents", workers=3),
        more=[("DummyData", "SortEvents"), ("DummyData", "FillHistograms")],
    )
    graph.nodes["FillHistograms"] = node("FillHistograms")
    found = "\n".join(texts(graph))
    for text in (
        "DummyData.rate_hz is 'fast', expected a number Hz",
        "PickSingleModule is essential, but reads from ConvertToEvents",
        "PickSingleModule has 2 workers and reads from ConvertToEvents",
        "SortEvents cannot have 3 workers",
        "SortEvents has 3 workers and reads from PickSingleModule",
        "FillHistograms reads events, but DummyData sends words",
    ):
        assert text in found
    assert len(texts(graph)) == 6


def test_a_pipeline_refuses_such_a_graph_before_any_process_starts(make_pipeline):
    pipeline = make_pipeline("Numbers", "Collect")
    pipeline.link("Numbers", "Collect")
    pipeline.link("Numbers", "Collect")
    pipeline.create_task("SortEvents", workers=2, after="Numbers")
    with pytest.raises(GraphError) as caught:
        pipeline.start()
    assert len(str(caught.value).splitlines()) == 2
    assert "Collect is linked with Numbers 2 times" in str(caught.value)
    assert "SortEvents cannot have 2 workers" in str(caught.value)
    assert pipeline.supervisor is None


def test_in_a_session_a_first_task_may_wait_for_data_with_a_warning(make_pipeline):
    pipeline = make_pipeline("SortEvents", "WriteEvents")
    with pytest.warns(
        PipelineWarning, match=r"SortEvents reads events.*It waits until"
    ):
        pipeline.connect()


# Random graphs of tasks that take anything

NAMES = [f"t{number}" for number in range(7)]
LINKS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), unique=True, max_size=12
)


def anything(links: Iterable[tuple[str, str]]) -> Graph:
    return Graph(
        {name: node(name, "Double") for name in NAMES}, [Edge(*pair) for pair in links]
    )


def reaches(links: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return all pairs between which there is a way."""
    while more := {(a, d) for a, b in links for c, d in links if b == c} - links:
        links = links | more
    return links


@given(LINKS)
def test_producers_come_before_consumers_or_there_is_a_real_cycle(links):
    graph = anything(links)
    has_cycle = any(a == b for a, b in reaches(set(links)))
    try:
        order = graph.in_order()
    except GraphError as error:
        assert has_cycle
        found = re.search(r"in a circle: (.+);", str(error))
        assert found
        names = found[1].split(" -> ")
        assert names[0] == names[-1]
        assert len(set(names)) == len(names) - 1
        assert set(itertools.pairwise(names)) <= set(links)
    else:
        assert not has_cycle
        assert sorted(order) == NAMES
        place = {name: number for number, name in enumerate(order)}
        assert all(place[a] < place[b] for a, b in links)


@given(LINKS, st.lists(st.integers(0, 3), min_size=7, max_size=7))
def test_every_problem_names_its_task(links, workers):
    graph = anything(links)
    for item, number in zip(graph.nodes.values(), workers, strict=True):
        item.workers = number
    for problem in graph.problems():
        assert problem.node in problem.text
        assert problem.node or "in a circle" in problem.text
        assert not re.search(r"\s\s|\n", problem.text)


@given(st.lists(st.sampled_from(["source", "middle", "tap"]), min_size=1, max_size=8))
def test_in_a_line_each_task_reads_from_the_last_that_is_no_tap(kinds):
    classes = {"source": "Numbers", "middle": "Double", "tap": "Sum"}
    nodes = [node(f"{k}{i}", classes[k]) for i, k in enumerate(kinds)]
    edges = {(edge.producer, edge.consumer) for edge in main_line(nodes)}
    for place, item in enumerate(nodes):
        before = nodes[:place]
        expected: set[str] = set()
        if item.kind.reads == ():
            assert not [pair for pair in edges if pair[1] == item.name]
            continue
        line = [other for other in before if not other.is_tap]
        if line and line[-1].kind.reads == ():
            # All sources of the row feed it.
            row = itertools.takewhile(lambda o: o.kind.reads == (), reversed(line))
            expected = {other.name for other in row}
        elif line:
            expected = {line[-1].name}
        else:
            # A tap in front has nothing to look at, and passes nothing on.
            expected = {before[0].name} if before else set()
        assert {a for a, b in edges if b == item.name} == expected
