"""Tasks that share a process: the same data, the same states, the same news."""

from __future__ import annotations

import itertools
import time

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tests.support.pipeline_tasks
import tests.support.shared_tasks  # noqa: F401 - registers the tasks
from pixie_pipe.pipeline import Edge, Graph, GraphError, Node, Role, Task
from pixie_pipe.pipeline.messages import Error, Status
from pixie_pipe.pipeline.plan import load_plan

NUMBERS = {"count": 50, "size": 5000}
SUM = sum(range(50 * 5000))


def shared(pipeline, *names, process="a", **tasks):
    for name in names:
        pipeline.create_task(name, process=process)
    for label, name in tasks.items():
        pipeline.create_task(name, label=label, process=process)
    return pipeline


def pids(pipeline):
    return {
        name: record.hello.pid for name, record in pipeline.supervisor.records.items()
    }


def finish(pipeline, seconds=60):
    assert pipeline.wait(seconds, quiet=True)
    assert pipeline.balance().closes
    pipeline.stop()
    assert pipeline.errors == []


# What goes through


@pytest.mark.parametrize("transport", ["ipc", "tcp"])
@pytest.mark.parametrize("split", ["abcd", "aaaa", "aaab", "abbb", "aabb", "abbc"])
def test_the_same_arrives_however_tasks_are_put_into_processes(
    make_pipeline, split, transport
):
    pipeline = make_pipeline(transport=transport)
    for name, process in zip(
        ("Numbers", "Double", "Where", "Tree"), split, strict=True
    ):
        pipeline.create_task(name, process=process)
    pipeline.configure({"Numbers": NUMBERS})
    for _ in range(2):
        pipeline.start()
        finish(pipeline)
        report = pipeline.last_report("Tree")
        assert report == {"count": 50 * 5000, "sum": 2 * SUM}
        counts = pipeline.statistics()
        assert counts["Double"]["in"]["Numbers"]["frames"] == 50
        assert counts["Where"]["out"]["Tree"]["frames"] == 50
        assert counts["Where"]["own"]["writable"] is False
    numbers = pids(pipeline)
    assert len({*numbers.values()}) == len({*split})
    for one, other in itertools.combinations(range(4), 2):
        together = [*numbers.values()][one] == [*numbers.values()][other]
        assert together == (split[one] == split[other])


def test_a_tree_of_tasks_in_one_process_and_a_tap_outside(make_pipeline):
    pipeline = make_pipeline()
    shared(pipeline, "Numbers", "Double")
    pipeline.create_task("Tree", label="inside", after="Double", process="a")
    pipeline.create_task("Tree", label="other", after="Numbers", process="a")
    pipeline.create_task("Tree", label="outside", after="Double")
    pipeline.create_task("Sum", after="Double")
    pipeline.configure({"Numbers": NUMBERS})
    pipeline.start()
    finish(pipeline)
    assert pipeline.last_report("inside")["sum"] == 2 * SUM
    assert pipeline.last_report("outside")["sum"] == 2 * SUM
    assert pipeline.last_report("other")["sum"] == SUM
    assert pipeline.last_report("Sum")["total"] == 2 * SUM
    assert len({*pids(pipeline).values()}) == 3


def test_a_pool_feeds_a_shared_process_and_is_fed_by_one(make_pipeline):
    pipeline = make_pipeline()
    shared(pipeline, "Numbers", "Double")
    pipeline.create_task("Burst", workers=2)
    shared(pipeline, "Where", "Collect", process="b")
    pipeline.configure({"Numbers": {"count": 40, "size": 3}})
    pipeline.start()
    finish(pipeline)
    # As the single process gives it: in the order in which the pool was fed.
    expected = [[2 * 3 * n, part] for n in range(40) for part in range(2 * 3 * n % 4)]
    assert pipeline.last_report("Collect")["first"] == expected


def test_what_is_sent_at_the_end_arrives_before_the_end(make_pipeline):
    pipeline = shared(make_pipeline(), "Numbers", one="Late", two="Late", three="Tree")
    pipeline.configure({"Numbers": {"count": 3, "size": 1}, "one": {"seconds": 0.3}})
    pipeline.start()
    finish(pipeline)
    assert pipeline.last_report("three") == {"count": 5, "sum": 2_000_003}


def test_a_slow_consumer_in_another_process_holds_the_source(make_pipeline):
    pipeline = shared(make_pipeline(), "Numbers", "Double")
    pipeline.create_task("Slow")
    pipeline.link("Double", "Slow", window_bytes=100_000)
    pipeline.configure(
        {"Numbers": {"count": 0, "size": 5000}, "Slow": {"seconds": 0.05}}
    )
    pipeline.start()
    pipeline.until(lambda: pipeline.statistics()["Slow"]["in"]["Double"].get("frames"))
    counts = pipeline.statistics()
    sent = counts["Numbers"]["out"]["Double"]["frames"]
    came = counts["Slow"]["in"]["Double"]["frames"]
    # A window of two frames, and what happened between two reports.
    assert sent <= came + 3 + 1.5 / 0.05
    start = time.monotonic()
    pipeline.stop()
    assert time.monotonic() - start < 10
    assert pipeline.balance().closes


# Turns and news


def test_tasks_take_turns_while_the_source_pauses(make_pipeline):
    pipeline = shared(make_pipeline(), "Sleeper", "Ticks", "Tree")
    pipeline.start()
    pipeline.until(lambda: pipeline.tasks.Ticks.report.get("ticks", 0) > 5)
    assert all(row.lag_s < 10 for row in pipeline.status().rows), (
        "all give signs of life"
    )
    start = time.monotonic()
    pipeline.stop()
    assert time.monotonic() - start < 10
    assert pipeline.last_report("Tree") == {"count": 3, "sum": 3}


def test_each_prints_and_reports_in_its_own_name(make_pipeline):
    pipeline = shared(make_pipeline(), "Numbers", "Chatter", other="Chatter")
    pipeline.start()
    finish(pipeline)
    for name in ("Chatter", "other"):
        texts = [text for task, text in pipeline.prints if task == name]
        assert texts == ["hello None", "by the builtin"]
        assert pipeline.last_report(name)["count"] == 100


def test_an_error_is_that_of_the_task_that_made_it(make_pipeline):
    pipeline = shared(make_pipeline(), "Numbers", "Double", "Fail", "Tree")
    pipeline.configure({"Numbers": {"count": 0}})
    pipeline.start()
    pipeline.until(lambda: pipeline.state is not Status.RUNNING)
    assert pipeline.state is Status.PANICKING
    assert [name for name, _ in pipeline.errors] == ["Fail"]
    assert "do_work" in pipeline.errors[0][1].traceback
    (reason,) = [r for r in pipeline.balance().problems if "told to fail" in r]
    assert reason.startswith("Fail failed")
    pipeline.stop()
    assert pipeline.state is Status.WAITING
    before = pids(pipeline)
    pipeline.configure({"Fail": {"where": "never"}, "Numbers": NUMBERS})
    pipeline.errors.clear()
    pipeline.start()
    finish(pipeline)
    # Nobody knows what the failure has left in the old process.
    assert not set(pids(pipeline).values()) & set(before.values())
    assert pipeline.last_report("Tree")["sum"] == 2 * SUM


def test_what_a_task_refuses_leaves_the_others_waiting(make_pipeline):
    pipeline = shared(make_pipeline(), "Numbers", "Fail", "Tree")
    pipeline.connect()
    with pytest.raises(Error, match=r"Fail.*told to fail in configure"):
        pipeline.configure({"Fail": {"where": "configure"}})
    pipeline.configure({"Fail": {"where": "start"}})
    with pytest.raises(Error, match=r"Fail.*told to fail in start"):
        pipeline.start()
    assert pipeline.state is Status.WAITING
    states = {row.name: row.state for row in pipeline.status().rows}
    assert states == dict.fromkeys(states, Status.WAITING)


def test_a_task_that_cannot_begin_ends_the_process_and_is_named(make_pipeline):
    pipeline = shared(make_pipeline(), "Numbers", "FailAtInit", "Tree")
    with pytest.raises(Error, match="told to fail in init"):
        pipeline.connect()
    told = {name for name, error in pipeline.errors if "told to fail" in str(error)}
    assert "FailAtInit" in told
    pipeline.kill()


# Ends


@pytest.mark.parametrize("victim", ["Numbers", "Double", "Tree"])
def test_what_ends_one_ends_all_of_its_process(make_pipeline, victim):
    pipeline = shared(make_pipeline(), "Numbers", "Double", "Where")
    pipeline.create_task("Tree")
    pipeline.configure({"Numbers": {"count": 0, "size": 2000}})
    pipeline.start()
    pipeline.until(lambda: pipeline.statistics()["Tree"]["in"]["Where"].get("frames"))
    before = pids(pipeline)
    start = time.monotonic()
    pipeline.send_kill(victim)
    pipeline.until(lambda: pipeline.state is not Status.RUNNING)
    assert time.monotonic() - start < 5
    gone = {name for name, pid in before.items() if pid == before[victim]}
    problems = pipeline.balance().problems
    assert {name for name in before if f"{name} was killed by SIGKILL" in problems} == (
        gone
    )
    pipeline.errors.clear()
    pipeline.configure({"Numbers": NUMBERS})
    pipeline.start()
    finish(pipeline)
    assert pipeline.last_report("Tree")["sum"] == 2 * SUM
    after = pids(pipeline)
    assert {name for name in after if after[name] != before[name]} == gone


def test_a_hanging_task_is_killed_with_its_process(make_pipeline):
    pipeline = shared(make_pipeline(), "Numbers", "Hang", "Tree")
    pipeline.configure({"Hang": {"where": "hang"}, "Numbers": {"count": 0}})
    pipeline.start()
    pipeline.until(lambda: pipeline.state is not Status.RUNNING)
    assert any("no sign of life" in str(error) for _, error in pipeline.errors)
    assert any("SIGKILL" in reason for reason in pipeline.balance().problems)


def test_a_run_is_given_up_while_the_process_waits_for_room(make_pipeline):
    pipeline = shared(make_pipeline(), "Numbers", "Double")
    pipeline.create_task("Slow")
    pipeline.create_task("FailAtInit", label="unused")
    pipeline.link("Double", "Slow", window_bytes=1000)
    pipeline.configure(
        {"Numbers": {"count": 0, "size": 5000}, "Slow": {"seconds": 0.5}}
    )
    pipeline.connect(["Numbers", "Double", "Slow"])
    pipeline.start()
    pipeline.until(lambda: pipeline.statistics()["Slow"]["in"]["Double"].get("frames"))
    pipeline.send_kill("Slow")
    start = time.monotonic()
    pipeline.until(lambda: pipeline.state is not Status.RUNNING)
    assert time.monotonic() - start < 5
    assert psutil.pid_exists(pids(pipeline)["Double"])


def test_a_task_that_comes_later_gets_into_the_process(make_pipeline):
    pipeline = shared(make_pipeline(), "Numbers", "Double")
    pipeline.create_task("Tree")
    pipeline.configure({"Numbers": NUMBERS})
    pipeline.start()
    finish(pipeline)
    before = pids(pipeline)
    pipeline.create_task("Where", after="Double", process="a")
    pipeline.start()
    finish(pipeline)
    after = pids(pipeline)
    assert after["Where"] == after["Numbers"] == after["Double"]
    assert after["Numbers"] != before["Numbers"]
    assert after["Tree"] == before["Tree"]
    assert not psutil.pid_exists(before["Numbers"])


def test_some_of_the_tasks_of_a_process_may_rest(make_pipeline):
    pipeline = shared(make_pipeline(), "Numbers", "Double", "Where", "Tree")
    pipeline.configure({"Numbers": NUMBERS})
    for line, factor in (
        (["Numbers", "Where", "Tree"], 1),
        (["Numbers", "Double", "Where", "Tree"], 2),
        (["Numbers", "Tree"], 1),
    ):
        pipeline.connect(line)
        pipeline.start()
        finish(pipeline)
        assert pipeline.last_report("Tree")["sum"] == factor * SUM
    assert len({*pids(pipeline).values()}) == 1


# What can share a process

NODES = {"s": "Numbers", "d": "Double", "w": "Where", "t": "Tree"}


def graph_of(edges, processes, **settings):
    nodes = {}
    for name, kind in NODES.items():
        node = Node(name, Task.class_registry[kind], process=processes.get(name, ""))
        for key, value in settings.get(name, {}).items():
            setattr(node, key, value)
        nodes[name] = node
    return Graph(nodes, [Edge(*edge) for edge in edges])


LINE = (("s", "d"), ("d", "w"), ("w", "t"))


@pytest.mark.parametrize(
    ("edges", "processes", "settings", "wrong"),
    [
        (LINE, {"s": "a", "d": "a", "w": "a", "t": "a"}, {}, []),
        (LINE, {"d": "a", "w": "a"}, {}, []),
        (LINE, {"d": "a"}, {"d": {"role": Role.OPTIONAL, "workers": 1}}, ["w", "t"]),
        (LINE, {"s": "a", "w": "a"}, {}, ["w"]),
        (LINE, {"d": "a"}, {"d": {"workers": 2}}, ["d"]),
        (LINE, {"w": "a", "t": "a"}, {"t": {"role": Role.OPTIONAL}}, ["t"]),
        ((*LINE, ("s", "t")), {"w": "a", "t": "a"}, {}, ["t"]),
        ((*LINE, ("s", "t")), {"d": "a", "w": "a", "t": "a"}, {}, ["t"]),
        ((*LINE, ("s", "t")), dict.fromkeys(NODES, "a"), {}, []),
        ((("s", "d"), ("s", "w"), ("w", "t")), {"d": "a", "w": "a"}, {}, ["w"]),
        ((*LINE[:2], ("w", "t", True)), {"w": "a", "t": "a"}, {}, ["t"]),
        ((*LINE[:2], ("w", "t", True)), {"w": "a", "t": "b"}, {}, []),
    ],
)
def test_what_can_share_a_process(edges, processes, settings, wrong):
    graph = graph_of(edges, processes, **settings)
    problems = [p for p in graph.problems() if p.field in ("process", "lossy", "role")]
    assert sorted({p.node for p in problems} & {*NODES}) == sorted(
        wrong if settings.get("d", {}).get("role") is None else ["w"]
    )
    for problem in problems:
        assert problem.node in problem.text


@given(st.lists(st.sampled_from(["", "a", "b"]), min_size=4, max_size=4))
def test_a_line_can_be_parted_wherever_one_likes(processes):
    names = [*NODES]
    graph = graph_of(LINE, dict(zip(names, processes, strict=True)))
    blocks = [key for key, _ in itertools.groupby(processes) if key]
    is_right = len(blocks) == len({*blocks})
    assert (not graph.problems()) == is_right
    members = [[*names] for names in graph.process_members()]
    assert sorted(itertools.chain(*members)) == sorted(NODES)
    assert len(members) == processes.count("") + len({*processes} - {""})


def test_two_sources_cannot_share_a_process(make_pipeline):
    pipeline = shared(make_pipeline(), one="Numbers", two="Numbers", three="Tree")
    with pytest.raises(GraphError, match="two reads nothing, but shares the process"):
        pipeline.start()


def test_the_key_of_a_file(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "tasks:\n"
        "  - {task: DummyData, process: first}\n"
        "  - {task: GatherData, process: first}\n"
        "  - {task: ConvertToEvents, process: second}\n"
        "  - {task: SortEvents}\n"
    )
    plan = load_plan(path)
    assert [task.process for task in plan.tasks] == ["first", "first", "second", ""]
    from tests.pipeline.conftest import Recorder

    nodes = plan.build(Recorder).graph.nodes
    assert [node.process for node in nodes.values()] == ["first", "first", "second", ""]
    raw = tmp_path / "a.bin"
    raw.write_bytes(b"")
    replay = plan.replay([raw])
    assert [task.process for task in replay.tasks] == ["first", "first", "second", ""]


def test_the_table_and_the_check_tell_who_shares_a_process(make_pipeline):
    pipeline = shared(make_pipeline(), "Numbers", "Double")
    pipeline.create_task("Tree", process="alone")
    pipeline.start()
    finish(pipeline)
    text = str(pipeline.status())
    assert "a: one process for Numbers, Double" in text
    assert "alone:" not in text
