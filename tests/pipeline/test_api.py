"""The pipeline as a user's script calls it: the names, and what they do."""

from __future__ import annotations

import inspect
import logging
import signal
import time
import warnings

import numpy as np
import pytest
import zmq

import pixie_pipe.pipeline as api
import tests.support.api_tasks  # noqa: F401 - registers the tasks
from pixie_pipe.config import ConfigError
from pixie_pipe.errors import PixiePipeError
from pixie_pipe.pipeline import Error, Message, Pipeline, PipelineWarning, Status
from pixie_pipe.pipeline.frames import END, decode_header, unpack
from pixie_pipe.pipeline.links import Ack, encode_ack

STANDARD = ("DummyData", "GatherData", "ConvertToEvents")

WITHOUT_FILES = ("LoadFiles", "TakeData")
"""Sources that need to be told what to read."""

ARGUMENTS = {
    "create_task": ["name"],
    "configure": ["config"],
    "connect": ["tasks_active"],
    "start": [],
    "stop": [],
    "quit": [],
    "kill": [],
    "send_kill": ["name"],
    "send_connect": ["name", "address_pull", "is_start", "is_final"],
    "poll": ["timeout"],
    "handle_report": ["name", "report"],
    "handle_print": ["name", "string"],
    "handle_error": ["name", "err"],
    "from_config": ["path"],
    "wait": ["timeout"],
    "status": [],
    "statistics": [],
    "balance": [],
}
"""Arguments that scripts give by position or by these names."""


def settle(pipe):
    """Wait until the callbacks for all that has come so far are called."""
    assert pipe._callbacks is None or pipe._callbacks.settle(60)


# Names


def test_messages_and_states_have_their_names_and_signs():
    assert list(Message.__members__) == [
        *("CONFIGURE", "CONNECT", "START", "STOP", "QUIT"),
        *("DATA", "FINISHED", "REPORT", "PRINT", "ERROR"),
    ]
    assert (Message.START, Message.STOP, Message.QUIT) == ("▶️", "⏹️", "⏏️")
    assert Message.FINISHED == "🏁"
    assert {state.name: state.value for state in Status} == {
        "WAITING": "⏸️",
        "RUNNING": "▶️",
        "FINISHED": "🏁",
        "DYING": "⏏️",
        "PANICKING": "🆘",
    }


def test_every_public_name_can_be_imported_and_others_cannot():
    for name in api.__all__:
        assert getattr(api, name).__name__ == name
    assert dir(api) == api.__all__
    with pytest.raises(AttributeError, match="has no attribute 'Pipelin'"):
        _ = api.Pipelin


def test_the_methods_take_the_arguments_that_scripts_give():
    positional = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    )
    for name, expected in ARGUMENTS.items():
        signature = inspect.signature(getattr(Pipeline, name))
        known = [p.name for p in signature.parameters.values() if p.kind in positional]
        assert [each for each in known if each != "self"] == expected, name
    assert next(iter(inspect.signature(Pipeline).parameters)) == "task_kwargs"


def test_an_error_is_a_runtime_error_with_its_message():
    error = Error("too hot")
    assert isinstance(error, RuntimeError)
    assert isinstance(error, PixiePipeError)
    assert (error.msg, str(error)) == ("too hot", "too hot")
    assert str(Error("too hot", task="Oven", origin="shelf 2")) == (
        "Oven: too hot (at shelf 2)"
    )


# Tasks


def test_an_unknown_task_is_refused_with_the_names_that_are_near():
    pipe = Pipeline()
    with pytest.raises(ValueError, match=r"no task 'GatherDta'.*'GatherData'"):
        pipe.create_task("GatherDta")
    assert list(pipe.tasks) == []


def test_a_task_is_created_by_its_class_as_by_the_name_of_it():
    from pixie_pipe.tasks.gather_data import GatherData

    pipe = Pipeline()
    assert pipe.create_task(GatherData, chunk_mb=1).name == "GatherData"
    assert pipe.create_task("GatherData").name == "GatherData-2"


def test_several_tasks_of_a_class_get_names_of_their_own():
    pipe = Pipeline()
    made = [pipe.create_task("OnlyDoWork").name for _ in range(3)]
    assert len(set(made)) == 3
    assert list(pipe.tasks) == made
    with pytest.raises(ValueError, match=f"{made[1]}.*already"):
        pipe.create_task("OnlyDoWork", label=made[1])
    pipe.create_task("OnlyDoWork", label="mine")
    assert list(pipe.tasks) == [*made, "mine"]


def test_a_task_is_reached_by_name_and_its_parameters_as_attributes():
    pipe = Pipeline()
    handle = pipe.create_task("DummyData", rate_hz=1e4)
    assert handle.rate_hz == pipe.tasks.DummyData.rate_hz == 1e4
    pipe["DummyData"].rate_hz = 2e4
    pipe.tasks["DummyData"].configure(channels=3)
    pipe.configure({"DummyData": {"seed": 7}})
    values = handle.parameters
    assert (values["rate_hz"], values["channels"], values["seed"]) == (2e4, 3, 7)
    assert handle.status is Status.WAITING
    assert {"rate_hz", "status", "configure"} <= set(dir(handle))
    with pytest.raises(AttributeError, match="'rate'"):
        _ = handle.rate
    with pytest.raises(ValueError, match="'rate_hs'; did you mean 'rate_hz'"):
        handle.rate_hs = 1
    with pytest.raises(AttributeError, match="'DumyData'; did you mean 'DummyData'"):
        _ = pipe.tasks.DumyData
    with pytest.raises(ValueError, match="'DumyData'; did you mean 'DummyData'"):
        _ = pipe["DumyData"]


def test_task_kwargs_reach_the_constructor_of_every_task(make_pipeline, tmp_path):
    given = {"journal": str(tmp_path), "greeting": "good day"}
    pipe = make_pipeline(task_kwargs=given)
    pipe.create_task("FewNumbers")
    for label in ("one", "two"):
        pipe.create_task("Talking", label=label)
    pipe.start()
    assert pipe.wait(quiet=True)
    assert ("one", "init; good day") in pipe.prints
    assert ("two", "init; good day") in pipe.prints
    assert (tmp_path / "FewNumbers").exists()


# Built-in tasks with their defaults


def test_the_standard_line_runs_on_generated_data():
    pipe = Pipeline()
    for name in STANDARD:
        pipe.create_task(name)
    try:
        pipe.start()
        assert pipe.state is Status.RUNNING
        while not pipe.statistics()["ConvertToEvents"]["ledger"].get("events_decoded"):
            assert pipe.poll(0.05)
        pipe.stop()
        assert pipe.state is Status.WAITING
        balance = pipe.balance()
        assert balance.closes
        assert balance.words_read == balance.words_decoded > 0
        assert balance.events_decoded
        assert "events decoded" in str(balance)
    finally:
        pipe.quit()


def test_every_built_in_task_starts_with_its_defaults(
    make_pipeline, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    names = {each.name for each in api.plugins() if each.origin == "built in"}
    assert names > {*STANDARD, *WITHOUT_FILES}
    pipe = make_pipeline(*STANDARD)
    # These need a file, of calibrations or of settings.
    needy = {"Calibrate", "AnalyseTraces"}
    for name in sorted(names.difference(STANDARD, WITHOUT_FILES, needy)):
        # Coincidences are built of events in the order of their times.
        is_late = name == "BuildCoincidences"
        pipe.create_task(name, after="SortEvents" if is_late else "ConvertToEvents")
    pipe.start()
    assert {handle.status for handle in pipe.tasks.values()} == {Status.RUNNING}
    pipe.until(lambda: pipe.balance().events_decoded)
    pipe.stop()
    settle(pipe)
    balance = pipe.balance()
    assert balance.closes, balance
    assert balance.events_written == balance.events_decoded
    assert pipe.errors == []


@pytest.mark.parametrize("name", WITHOUT_FILES)
def test_a_source_that_has_nothing_to_read_says_what_it_needs(make_pipeline, name):
    pipe = make_pipeline(name)
    with pytest.raises(Error, match=rf"cannot start: {name}: .*files"):
        pipe.start()
    assert pipe.state is Status.WAITING


def test_a_first_task_without_input_waits_in_a_session(make_pipeline):
    pipe = make_pipeline("GatherData")
    with pytest.warns(PipelineWarning, match="GatherData reads words.*DummyData") as it:
        pipe.start()
    assert [warning.filename for warning in it] == [__file__]
    assert pipe.state is Status.RUNNING
    assert pipe.tasks.GatherData.status is Status.RUNNING
    assert not pipe.wait(0.01, quiet=True)
    pipe.stop()
    assert pipe.state is Status.WAITING
    # Connected already: nothing new to warn of.
    with warnings.catch_warnings(record=True) as again:
        pipe.start()
    assert again == []
    pipe.stop()


def test_a_first_task_without_input_is_an_error_in_a_configuration(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("tasks:\n  - task: GatherData\n  - task: ConvertToEvents\n")
    with pytest.raises(ConfigError, match=r"a\.yaml:2.*GatherData reads words"):
        Pipeline.from_config(path)


def test_a_pipeline_from_a_file_runs_to_its_end(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "tasks:\n"
        "  - {task: DummyData, events: 10, rate_hz: 0}\n"
        "  - {task: GatherData}\n"
        "  - {task: ConvertToEvents, name: decode}\n"
    )
    with Pipeline.from_config(path, changes=["tasks.DummyData.events=500"]) as pipe:
        pipe.start()
        assert pipe.wait(quiet=True)
        assert pipe.state is Status.FINISHED
        assert pipe.balance().events_decoded == 500
        assert list(pipe.statistics()) == ["DummyData", "GatherData", "decode"]
    # What is known of the run outlives the processes.
    assert pipe.state is Status.WAITING
    assert pipe.balance().events_decoded == 500


# Connecting


def test_connect_takes_the_names_in_the_order_of_the_data(make_pipeline):
    pipe = make_pipeline("Collecting", "OnlyDoWork", "FewNumbers")
    pipe.connect(["FewNumbers", "Collecting"])
    pipe.start()
    assert pipe.wait(quiet=True)
    assert pipe.last_report("Collecting") == {"data": [0, 1, 2, "from do_stop"]}
    assert list(pipe.statistics()) == ["FewNumbers", "Collecting"]
    pipe.create_task("Generating")
    pipe.connect(("FewNumbers", "Generating", "Collecting"))
    pipe.configure({"FewNumbers": {"last_words": False}})
    pipe.start()
    assert pipe.wait(quiet=True)
    assert pipe.last_report("Collecting") == {
        "data": [first + rest for first in (0, 1, 2) for rest in (0, 0.25, 0.5)]
    }
    with pytest.raises(ValueError, match="'Colecting'; did you mean 'Collecting'"):
        pipe.connect(["FewNumbers", "Colecting"])


def test_connect_names_the_tasks_that_do_not_respond(make_pipeline):
    pipe = make_pipeline("FewNumbers")
    for label in ("broken", "whole", "rotten"):
        where = "" if label == "whole" else "do_connect"
        pipe.create_task("Leaving", label=label, where=where)
    # They learn of their values behind their first connection.
    pipe.connect()
    with pytest.raises(RuntimeError, match="do not respond: ") as caught:
        pipe.connect()
    assert "broken (ended with exit code 7), rotten (ended" in str(caught.value)
    assert "whole" not in str(caught.value)
    assert pipe.state is Status.WAITING
    pipe.configure({"broken": {"where": ""}, "rotten": {"where": ""}})
    pipe.start()
    assert pipe.wait(quiet=True)


def test_send_connect_links_a_task_with_a_socket_of_the_script(make_pipeline):
    pipe = make_pipeline("FewNumbers")
    pipe.configure({"FewNumbers": {"last_words": False}})
    with pytest.raises(Error, match="FewNumbers is not there: connect first"):
        pipe.send_connect("FewNumbers", "tcp://127.0.0.1:9", True, False)
    pipe.connect()
    context = zmq.Context()
    try:
        pull, acks = context.socket(zmq.PULL), context.socket(zmq.PUSH)
        pull.linger = acks.linger = 0
        port = pull.bind_to_random_port("tcp://127.0.0.1")
        address = f"tcp://127.0.0.1:{port}"
        acks.connect(pipe.supervisor.records["FewNumbers"].hello.acks)
        pipe.send_connect("FewNumbers", address, is_start=True, is_final=False)
        pipe.start()
        came = []
        while True:
            assert pull.poll(60_000), "no frame came"
            first, *rest = pull.recv_multipart()
            header = decode_header(first)
            acks.send(encode_ack(Ack(address, header.run, header.sequence)))
            if header.kind == END:
                break
            came.append(unpack(header, [memoryview(each) for each in rest]))
        assert came == [0, 1, 2]
        assert pipe.wait(quiet=True)
        # The final task sends to nobody.
        pipe.send_connect("FewNumbers", address, is_start=True, is_final=True)
        pipe.start()
        assert pipe.wait(quiet=True)
        assert not pull.poll(0)
    finally:
        context.destroy(linger=0)


# Links


def test_edges_pools_and_taps_make_the_graph_that_was_asked_for(make_pipeline):
    pipe = make_pipeline("FewNumbers")
    pipe.create_task("Generating", workers=2)
    pipe.create_task("Collecting", label="end")
    pipe.create_task("Remembering", after="FewNumbers")
    pipe.create_task("OnlyDoWork", label="left", after="Generating")
    pipe.create_task("Collecting", label="both", after=["left", "FewNumbers"])
    pipe.configure({"FewNumbers": {"last_words": False}})
    pipe.start()
    assert pipe.wait(quiet=True)
    first = [0, 0.25, 0.5, 1, 1.25, 1.5, 2, 2.25, 2.5]
    assert pipe.last_report("end") == {"data": first}
    both = pipe.last_report("both")["data"]
    assert sorted(both) == [0, 1, 2, *(1000 + each for each in first)]
    assert [each for each in both if each >= 1000] == [1000 + each for each in first]
    assert pipe.last_report("Remembering") == {"total": 3}
    assert set(pipe.statistics()) == {
        *("FewNumbers", "Generating.1", "Generating.2"),
        *("end", "Remembering", "left", "both"),
    }
    assert set(pipe.tasks.Generating.statistics) == {"Generating.1", "Generating.2"}
    table = str(pipe.status())
    assert all(name in table for name in pipe.statistics())
    assert "finished" in table
    assert pipe.balance().closes


def test_a_link_needs_tasks_that_are_there():
    pipe = Pipeline()
    pipe.create_task("FewNumbers")
    with pytest.raises(ValueError, match="'FewNumber'; did you mean 'FewNumbers'"):
        pipe.link("FewNumber", "FewNumbers")
    with pytest.raises(ValueError, match="'Nobody'"):
        pipe.link("FewNumbers", "Nobody")
    pipe.create_task("Collecting", after="Fewnumbers")
    with pytest.raises(Error, match="'Fewnumbers' to link with Collecting"):
        pipe.start()
    for command in (pipe.connect, pipe.start):
        with pytest.raises(Error, match="there are no tasks"):
            getattr(Pipeline(), command.__name__)()


# Commands


def test_a_script_that_polls_gets_all_news_and_comes_to_an_end(make_pipeline):
    pipe = make_pipeline("FewNumbers", "Talking", "Faulty", "Collecting")
    assert not pipe.poll()
    pipe.start()
    while pipe.poll():
        pass
    assert pipe.state is Status.FINISHED
    assert pipe.prints[-1] == ("Talking", "stopped")
    assert pipe.last_report("Collecting") == {"data": [0, 1, 2, "from do_stop"]}
    assert pipe.errors == []
    pipe.configure({"Faulty": {"where": "do_work"}})
    pipe.start()
    while pipe.poll():
        pass
    assert pipe.state is Status.PANICKING
    ((name, error),) = pipe.errors
    assert (name, error.task) == ("Faulty", "Faulty")
    assert isinstance(error, Error)
    assert error.msg == "RuntimeError: told to fail in do_work"
    assert "in do_work" in error.traceback
    pipe.quit()
    assert not pipe.poll()


def test_start_and_stop_work_any_number_of_times_also_after_the_end(make_pipeline):
    pipe = make_pipeline("GatedSource", "Counting")
    runs = []
    for end in ("stop", "quit", "kill", "stop"):
        pipe.start()
        pipe.until(lambda: pipe.statistics()["Counting"]["in"]["GatedSource"])
        getattr(pipe, end)()
        settle(pipe)
        assert pipe.state is Status.WAITING
        if end != "kill":
            report = pipe.last_report("Counting")
            assert (report["gaps"], report["incomplete"]) == (0, [])
            assert report["count"] == pipe.balance().words_read > 0
            runs.append(report["run"])
    assert runs == [1, 2, 4]
    # What has ended can be ended again.
    for end in ("stop", "kill", "quit"):
        getattr(pipe, end)()
    pipe.send_kill("Counting")
    assert pipe.wait(quiet=True)
    assert pipe.state is Status.WAITING


def test_a_callback_may_stop_the_pipeline(make_pipeline):
    pipe = make_pipeline("GatedSource", "Talking", "Counting")
    pipe.handle_print = lambda _name, text: (
        text == "a line of two words" and pipe.stop()
    )
    pipe.start()
    pipe.until(lambda: pipe.state is Status.WAITING)
    assert pipe.wait(quiet=True)
    pipe.until(lambda: "Counting" in [name for name, _ in pipe.reports])
    assert pipe.last_report("Counting")["incomplete"] == []


def test_a_callback_that_fails_is_logged_and_the_run_goes_on(make_pipeline, caplog):
    pipe = make_pipeline("FewNumbers", "Collecting")
    known = pipe.handle_report

    def failing(name, report):
        known(name, report)
        raise KeyError(name)

    pipe.handle_report = failing
    with caplog.at_level(logging.ERROR):
        pipe.start()
        assert pipe.wait(quiet=True)
    assert len(pipe.reports) == 1
    assert "the callback handle_report failed" in caplog.text
    assert "KeyError: 'Collecting'" in caplog.text


def test_what_nobody_handles_goes_to_the_terminal(capfd):
    with Pipeline() as pipe:
        for name in ("FewNumbers", "Talking", "Faulty"):
            pipe.create_task(name)
        pipe.tasks.Faulty.where = "do_work"
        pipe.start()
        with pytest.raises(Error, match="told to fail"):
            pipe.wait(quiet=True)
    said = capfd.readouterr()
    assert "[Talking] a line of two words\n" in said.out
    assert "🆘 Faulty: RuntimeError: told to fail in do_work" in said.err
    assert "Traceback" in said.err


def test_a_pipeline_in_a_with_statement_ends_with_it(make_pipeline, tmp_path):
    pipe = make_pipeline(
        "GatedSource", "Counting", task_kwargs={"journal": str(tmp_path)}
    )

    def script():
        with pipe:
            pipe.start()
            raise KeyError("a mistake in the script")

    with pytest.raises(KeyError, match="a mistake"):
        script()
    assert pipe.state is Status.WAITING
    assert pipe.supervisor is None
    assert pipe.last_report("Counting")["incomplete"] == []
    for name in ("GatedSource", "Counting"):
        assert (tmp_path / name).read_text().endswith("-> DYING\ndo_quit\n")


def test_two_pipelines_do_not_know_of_each_other(make_pipeline):
    one, two = (make_pipeline("GatedSource", "Counting") for _ in range(2))
    one.start()
    two.start()
    one.send_kill("Counting")
    one.until(lambda: one.state is Status.PANICKING)
    assert two.state is Status.RUNNING
    one.quit()
    two.stop()
    settle(two)
    assert two.balance().closes
    assert two.last_report("Counting")["incomplete"] == []


def test_wait_tells_whether_the_run_is_over(make_pipeline, tmp_path):
    pipe = make_pipeline("GatedSource", "Counting")
    assert pipe.wait()
    gate = tmp_path / "gate"
    pipe.configure({"GatedSource": {"gate": str(gate)}})
    pipe.start()
    before = time.monotonic()
    assert not pipe.wait(0.2, quiet=True)
    assert time.monotonic() - before >= 0.2
    assert not pipe.wait(timeout=0, quiet=True)
    gate.touch()
    assert pipe.wait(quiet=True)
    assert pipe.state is Status.FINISHED


def test_send_kill_of_one_worker_and_of_a_whole_pool(make_pipeline):
    pipe = make_pipeline("GatedSource")
    pipe.create_task("Generating", workers=2)
    pipe.create_task("Collecting")
    pipe.connect()
    pipe.send_kill("Generating.2")
    pipe.until(lambda: pipe.tasks.Generating.status is Status.PANICKING)
    settle(pipe)
    dead = [name for name, _ in pipe.errors]
    assert dead == ["Generating.2"]
    assert "SIGKILL" in str(pipe.errors[0][1])
    pipe.send_kill("Generating")
    pipe.until(lambda: len(pipe.errors) == 2)
    assert pipe.errors[1][0] == "Generating.1"
    pipe.start()
    pipe.until(lambda: pipe.statistics()["Collecting"]["in"]["Generating.1"])
    pipe.stop()
    settle(pipe)
    data = pipe.last_report("Collecting")["data"]
    assert np.allclose(data[:9], [0, 0.25, 0.5, 1, 1.25, 1.5, 2, 2.25, 2.5])
    with pytest.raises(ValueError, match=r"'Generating\.3'"):
        pipe.send_kill("Generating.3")


def test_a_command_to_a_task_that_has_died_is_refused_with_its_end(make_pipeline):
    pipe = make_pipeline("GatedSource", "Counting")
    pipe.connect()
    pipe.supervisor.signal("Counting", signal.SIGTERM)
    pipe.until(lambda: pipe.tasks.Counting.status is Status.PANICKING)
    with pytest.raises(Error, match=r"do not respond: Counting \(ended with"):
        pipe.send_connect("Counting", "", False, True)
