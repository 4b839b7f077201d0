"""A task as its author writes it: what is called when, and what may be called."""

from __future__ import annotations

import inspect
import os
import signal
from itertools import pairwise

import pytest

import tests.support.api_tasks as tasks
from pixie_pipe.pipeline import Error, Parameter, RegistryError, Status, Task
from pixie_pipe.pipeline.messages import Connect, Start

CALLBACKS = {
    "do_init": [],
    "do_configure": ["config"],
    "do_connect": [],
    "do_start": [],
    "do_work": ["datum"],
    "do_wait": [],
    "do_stop": [],
    "do_quit": [],
    "serialize": [],
    "restore": ["state"],
}
CALLABLE = {
    "send": ["data"],
    "send_finished": [],
    "send_report": ["report"],
    "flush_report": [],
    "send_heart_beat": [],
}
LIFECYCLE = ("init", "run", "poll", "begin", "work", "wait", "stop", "quit")

START = [
    *("run", "init", "do_init", "init is over"),
    *("connect", "do_connect False True", "configure", "do_configure "),
]
RUN = [
    *("begin", "do_start", "WAITING -> RUNNING"),
    *("do_work 0", "do_work 1", "do_work 2", "do_work 'from do_stop'"),
    *("stop", "do_stop", "RUNNING -> FINISHED"),
]

STEPS = ("poll", "wait", "work")
"""What is done again and again, and is written down only the first time."""


def lines(path, name):
    """Return what a task wrote down."""
    return (path / name).read_text().splitlines()


def settle(pipe):
    """Wait until the callbacks for all that has come so far are called."""
    assert pipe._callbacks is None or pipe._callbacks.settle(60)


@pytest.fixture
def make(make_pipeline, tmp_path):
    """Return a function that makes a pipeline whose tasks write down their calls."""

    def make(*names):
        return make_pipeline(*names, task_kwargs={"journal": str(tmp_path)})

    return make


# Classes


def test_the_methods_have_the_arguments_that_authors_rely_on():
    for name, expected in (CALLBACKS | CALLABLE).items():
        known = inspect.signature(getattr(Task, name)).parameters.values()
        positional = [p.name for p in known if p.kind is p.POSITIONAL_OR_KEYWORD]
        assert positional == ["self", *expected], name
    force = inspect.signature(Task.send_report).parameters["force"]
    assert force.default is False
    for name in (*LIFECYCLE, "configure", "connect", "print", "report", "send_data"):
        assert callable(getattr(Task, name)), name


def test_every_subclass_is_in_the_registry_under_its_name():
    assert Task.class_registry["OnlyDoWork"] is tasks.OnlyDoWork

    def define(module):
        return type("OnlyHere", (Task,), {"__module__": module})

    try:
        first = define("somewhere")
        assert Task.class_registry["OnlyHere"] is first
        # A cell that is run again gives the class anew; a second file may not.
        second = define("somewhere")
        assert Task.class_registry["OnlyHere"] is second
        with pytest.raises(RegistryError, match=r"OnlyHere is there.*somewhere.*else"):
            define("else")
        assert Task.class_registry["OnlyHere"] is second
    finally:
        del Task.class_registry["OnlyHere"]


def test_a_task_has_the_defaults_of_its_parameters_and_waits():
    task = tasks.Sizes("some")
    assert (task.name, task.status) == ("some", Status.WAITING)
    assert (task.config.number, task.config.names) == (3, ["x"])
    assert task.config.limit is None
    assert tasks.Sizes(other=3).kwargs == {"other": 3}
    with pytest.raises(NotImplementedError, match=r"Unfinished has no do_work\(datum"):
        tasks.Unfinished("some").do_work(0)


# The order of the calls


def test_the_calls_come_in_order_each_as_often_as_it_should(make, tmp_path):
    pipe = make("FewNumbers", "Traced")
    pipe.start()
    assert pipe.wait(quiet=True)
    pipe.start()
    assert pipe.wait(quiet=True)
    pipe.stop()
    pipe.stop()
    pipe.start()
    assert pipe.wait(quiet=True)
    pipe.connect()
    pipe.quit()
    found = lines(tmp_path, "Traced")
    assert found.index("init is over") < found.index("poll") < found.index("wait")
    assert found.index("WAITING -> RUNNING") < found.index("work")
    assert [line for line in found if line not in STEPS] == [
        *START,
        *RUN,
        "FINISHED -> WAITING",
        *RUN,
        "FINISHED -> WAITING",
        *RUN,
        "FINISHED -> WAITING",
        *("connect", "do_connect False True", "configure", "do_configure "),
        *("WAITING -> DYING", "quit", "do_quit"),
    ]


def test_a_source_is_called_with_none_until_it_has_finished(make, tmp_path):
    pipe = make("FewNumbers", "Collecting")
    pipe.start()
    assert pipe.wait(quiet=True)
    found = lines(tmp_path, "FewNumbers")
    assert found[found.index("WAITING -> RUNNING") + 1 :] == [
        *["do_work None False"] * 4,
        *("do_stop", "RUNNING -> FINISHED"),
    ]
    assert found[1] == "do_connect True False"


@pytest.mark.parametrize("where", ["do_start", "refusal", "do_work"])
def test_do_stop_comes_once_if_a_run_was_begun_also_if_it_failed(make, tmp_path, where):
    pipe = make("GatedSource", "Faulty", "Counting")
    pipe.configure({"Faulty": {"where": where}})
    if where == "do_work":
        pipe.start()
        with pytest.raises(Error, match="told to fail in do_work"):
            pipe.wait(quiet=True)
        pipe.stop()
    else:
        with pytest.raises(Error, match="in do_start"):
            pipe.start()
    pipe.quit()
    began = where == "do_work"
    assert lines(tmp_path, "Faulty").count("do_stop") == began
    assert lines(tmp_path, "GatedSource").count("do_stop") == began
    counting = lines(tmp_path, "Counting")
    assert counting.count("do_start") == counting.count("do_stop") == 1
    for name in ("GatedSource", "Faulty", "Counting"):
        assert lines(tmp_path, name)[-1] == "do_quit"
    pipe.until(lambda: pipe.reports)
    assert pipe.last_report("Counting")["incomplete"]


def test_sigterm_lets_a_task_end_its_run_and_leave(make, tmp_path):
    pipe = make("GatedSource", "Counting")
    pipe.start()
    os.kill(pipe.supervisor.records["GatedSource"].task.pid, signal.SIGTERM)
    pipe.until(lambda: pipe.state is Status.PANICKING)
    settle(pipe)
    found = lines(tmp_path, "GatedSource")
    assert found[-3:] == ["do_stop", "RUNNING -> DYING", "do_quit"]
    reasons = pipe.last_report("Counting")["incomplete"]
    assert any("GatedSource" in reason for reason in reasons)


# Data


def test_a_task_with_nothing_but_do_work_works(make):
    pipe = make("GatedSource", "OnlyDoWork", "Collecting")
    pipe.start()
    pipe.until(lambda: pipe.statistics()["Collecting"]["in"]["OnlyDoWork"])
    pipe.stop()
    settle(pipe)
    data = pipe.last_report("Collecting")["data"]
    assert data
    assert data == list(range(1000, 1000 + len(data)))
    assert pipe.balance().closes


def test_a_task_without_do_work_fails_with_its_name(make):
    pipe = make("FewNumbers", "Unfinished")
    pipe.start()
    with pytest.raises(Error, match=r"Unfinished has no do_work\(datum\)"):
        pipe.wait(quiet=True)


def test_what_is_sent_in_every_way_arrives_in_order(make):
    pipe = make("FewNumbers", "Generating", "Collecting")
    pipe.configure({"FewNumbers": {"last_words": False}})
    pipe.start()
    assert pipe.wait(quiet=True)
    assert pipe.last_report("Collecting") == {
        "data": [0, 0.25, 0.5, 1, 1.25, 1.5, 2, 2.25, 2.5]
    }


def test_what_a_task_gives_up_is_known_behind_it_and_in_the_balance(make, tmp_path):
    pipe = make("FewNumbers", "Honest", "Honest", "Collecting")
    pipe.start()
    with pytest.raises(Error, match="one is missing"):
        pipe.wait(quiet=True)
    assert pipe.balance().problems == ("one is missing",)
    assert lines(tmp_path, "Honest-2")[-2] == "do_stop ['one is missing']"
    assert pipe.last_report("Collecting") == {"data": [0, 2, "from do_stop"]}


# Parameters


def test_a_task_gets_checked_values_and_keeps_the_others(make_pipeline):
    pipe = make_pipeline("FewNumbers", "Sizes")
    pipe.configure({"Sizes": {"number": 7, "ratio": 2, "names": ("p", "q")}})
    pipe.start()
    assert pipe.wait(quiet=True)
    config = {"flag": False, "number": 7, "ratio": 2.0, "text": "a"}
    config |= {"names": ["p", "q"], "limit": None}
    report = pipe.last_report("Sizes")
    assert report["given"] == {"number": 7, "ratio": 2.0, "names": ["p", "q"]}
    assert report["config"] == config
    # While the process is there, only what is new is given.
    pipe.tasks.Sizes.limit = 1
    pipe.start()
    assert pipe.wait(quiet=True)
    report = pipe.last_report("Sizes")
    assert report == {"given": {"limit": 1.0}, "config": config | {"limit": 1.0}}


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"number": 11}, "number is 11, expected"),
        ({"number": True}, "number is True, expected an integer"),
        ({"ratio": float("nan")}, "ratio is nan, expected a number"),
        ({"text": "c"}, "text is 'c', expected one of 'a', 'b'"),
        ({"names": "x"}, r"names is 'x', expected a list; write \['x'\]"),
        ({"names": ["x", 1]}, "names has 1 as item 1"),
        ({"flag": 1}, "flag is 1, expected true or false"),
        ({"nummer": 1}, "'nummer'; did you mean 'number'"),
    ],
)
def test_a_wrong_value_never_reaches_the_task(values, text):
    task = tasks.Sizes("some")
    before = dict(vars(task.config))
    with pytest.raises(ValueError, match=text):
        task.configure({"limit": 2.0} | values)
    assert vars(task.config) == before
    assert not hasattr(task, "given")


def test_a_parameter_says_what_it_is():
    with pytest.raises(ValueError, match="None needs a type"):
        Parameter(None, "no type")


# Prints, reports, signs of life


def test_prints_and_reports_arrive_in_order_and_not_too_many(make_pipeline):
    pipe = make_pipeline("GatedSource", "Talking", task_kwargs={"greeting": "good day"})
    pipe.start()
    last = {"number": 999, "other": "value"}
    pipe.until(lambda: ("Talking", last) in pipe.reports)
    assert pipe.tasks.Talking.report == last
    pipe.quit()
    reports = [report for name, report in pipe.reports if name == "Talking"]
    # The first one goes at once, then one in half a second.
    assert reports[0] == {"number": 0}
    assert len(reports) < 100
    assert reports[-3:] == [last, {"only": "this"}, {"held": "back"}]
    assert [text for name, text in pipe.prints if name == "Talking"] == [
        *("init; good day", "a line of two words", "half a line", "stopped", "left")
    ]


def test_signs_of_life_come_each_second_and_do_wait_ten_times_as_often(make, tmp_path):
    pipe = make("GatedSource", "Beating")
    # A source that has sent what it has waits for the gate.
    pipe.configure({"GatedSource": {"count": 3}})
    pipe.connect()

    def times(what):
        found = [line.split() for line in lines(tmp_path, "Beating")]
        return [float(each[2]) for each in found if each[:2] == what.split()]

    pipe.until(lambda: len(times("do_wait WAITING")) > 5)
    pipe.start()
    pipe.until(lambda: len(times("beat RUNNING")) > 3)
    pipe.stop()
    # The first one goes with a command, the others by themselves.
    beats = times("beat RUNNING")
    assert all(later - earlier >= 0.999 for earlier, later in pairwise(beats))
    for state in ("WAITING", "RUNNING"):
        waits = times(f"do_wait {state}")
        assert len(waits) > 5
        assert all(later - earlier >= 0.099 for earlier, later in pairwise(waits))
    assert pipe.balance().closes


# Errors and replacement


def test_an_error_at_the_end_is_told_and_the_others_leave_as_usual(make, tmp_path):
    pipe = make("FewNumbers", "Sour", "Collecting")
    pipe.connect()
    pipe.quit()
    ((name, error),) = pipe.errors
    assert name == "Sour"
    assert error.msg == "RuntimeError: told to fail in do_quit"
    for name in ("FewNumbers", "Collecting"):
        assert lines(tmp_path, name)[-1] == "do_quit"
    assert pipe.supervisor is None


def test_an_error_while_waiting_is_told_once_and_the_next_run_is_as_usual(make):
    pipe = make("GatedSource", "Faulty", "Counting")
    pipe.configure({"Faulty": {"where": "do_wait"}})
    pipe.connect()
    pipe.until(lambda: pipe.tasks.Faulty.status is Status.PANICKING)
    settle(pipe)
    assert pipe.state is Status.WAITING
    assert [name for name, _ in pipe.errors] == ["Faulty"]
    pipe.configure({"Faulty": {"where": ""}})
    pipe.start()
    assert pipe.tasks.Faulty.status is Status.RUNNING
    pipe.stop()
    settle(pipe)
    assert pipe.balance().closes
    assert len(pipe.errors) == 1


def test_a_tap_that_is_replaced_goes_on_where_it_was_saved(make, tmp_path):
    pipe = make("GatedSource", "Counting")
    pipe.create_task("Remembering", after="GatedSource")
    pipe.start()
    # Old enough to be replaced: each number takes 2 ms.
    pipe.until(lambda: pipe.balance().words_read > 1100)
    assert "serialize" in lines(tmp_path, "Remembering")
    pipe.send_kill("Remembering")
    pipe.until(lambda: any("restore" in x for x in lines(tmp_path, "Remembering")))
    pipe.until(lambda: pipe.tasks.Remembering.status is Status.RUNNING)
    pipe.stop()
    settle(pipe)
    found = lines(tmp_path, "Remembering")
    second = found[found.index("do_init", 1) :]
    assert [line.split()[0] for line in second[:5]] == [
        *("do_init", "do_connect", "do_configure", "do_start", "restore")
    ]
    count = pipe.last_report("Counting")["count"]
    assert pipe.last_report("Remembering") == {"total": count * (count - 1) // 2}
    assert pipe.balance().closes


def test_a_command_reaches_a_task_that_waits_and_not_one_that_works():
    task = tasks.OnlyDoWork("some")
    task.status = Status.RUNNING
    for command in (Start(1, 1), Connect(1, [], [], is_start=True, is_final=True)):
        with pytest.raises(Error, match="is running: stop it before"):
            task._command(command)
