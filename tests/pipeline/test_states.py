"""Commands in any order, against a plain model of what they do to the states."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import tests.support.api_tasks  # noqa: F401 - registers the tasks
from pixie_pipe.pipeline import Error, GraphError, ParameterError, Pipeline, Status

WAIT_SECONDS = 60.0
"""Time that something may take on a busy machine before a test gives up."""

W, R, F, D, P = (
    Status.WAITING,
    Status.RUNNING,
    Status.FINISHED,
    Status.DYING,
    Status.PANICKING,
)

PIPELINE_TRANSITIONS = {(W, R), (R, F), (R, P), (R, W), (F, W), (F, R), (P, W), (P, R)}
"""How the state of a pipeline may change from one command to the next."""

TASK_TRANSITIONS = {
    *((W, R), (W, P), (W, D)),
    *((R, F), (R, P), (R, W), (R, D)),
    *((F, W), (F, D)),
    # After a failure, a new process runs.
    *((P, W), (P, D)),
}
"""How the status of a task may change: it tells of each change itself."""

LINE = ("GatedSource", "Faulty", "Counting")
SHORT = ("GatedSource", "Counting")


class Model:
    """What a pipeline of these tasks should be like, without any process."""

    def __init__(self) -> None:
        self.names = list(LINE)
        self.where = ""
        self.gated = False
        self.state = W
        self.line: tuple[str, ...] = ()
        self.connected = False
        self.there: dict[str, Status] = {}
        self.dead: set[str] = set()

    def status(self, name: str) -> Status:
        return P if name in self.dead else self.there.get(name, W)

    def connect(self, line: tuple[str, ...]) -> None:
        self.back_to_waiting()
        self.line, self.connected = line, True
        self.dead.clear()
        for name in line:
            self.there.setdefault(name, W)

    def prepare_start(self) -> None:
        if not self.connected or self.dead:
            self.connect(self.line if self.connected else tuple(self.names))
        self.back_to_waiting()

    def begin(self) -> None:
        self.state = R
        self.there.update(dict.fromkeys(self.line, R))

    def end(self, lost: str = "", status: Status = P) -> None:
        """All come to their end, but one may be lost."""
        self.state = P if lost else F
        for name in self.line:
            if name in self.there:
                self.there[name] = F
        if lost in self.there:
            self.there[lost] = status

    def die(self, name: str) -> None:
        del self.there[name]
        self.dead.add(name)
        if self.state is R and name in self.line:
            self.end(lost=name)

    def back_to_waiting(self) -> None:
        self.state = W
        self.there = dict.fromkeys(self.there, W)

    def leave(self) -> None:
        self.there, self.dead = {}, set()
        self.state, self.connected = W, False


class Watched(Pipeline):
    """Keeps what its tasks report, and is quiet."""

    def __init__(self, journal: Path) -> None:
        self.reports: list[tuple[str, dict[str, Any]]] = []
        self.errors: list[tuple[str, Error]] = []
        super().__init__({"journal": str(journal)})

    def handle_report(self, name, report):
        self.reports.append((name, report))

    def handle_error(self, name, err):
        self.errors.append((name, err))

    def settle(self):
        """Wait until the callbacks for all that has come so far are called."""
        assert self._callbacks is None or self._callbacks.settle(WAIT_SECONDS)

    def until(self, condition, what):
        """Wait until something holds."""
        end = time.monotonic() + WAIT_SECONDS
        while not condition():
            if time.monotonic() > end:
                pytest.fail(f"it did not happen in {WAIT_SECONDS:.0f} s: {what()}")
            time.sleep(0.01)


class Commands(RuleBasedStateMachine):
    """A pipeline and its model; both get the same commands."""

    transitions: set[tuple[Status, Status]]
    task_transitions: set[tuple[Status, Status]]

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory(prefix="test_states-")
        self.path = Path(self.directory.name)
        self.gate = self.path / "gate"
        self.pipe = Watched(self.path)
        for name in LINE:
            self.pipe.create_task(name)
        self.model = Model()
        self.last = W
        self.transitions = set()
        self.task_transitions = set()

    @contextmanager
    def refused(self, error, text):
        """Expect that a command is refused and changes nothing."""
        with pytest.raises(error, match=text):
            yield

    # Tasks, values and links

    @precondition(lambda self: "Collecting" not in self.model.names)
    @rule()
    def create(self) -> None:
        self.pipe.create_task("Collecting", after="Faulty")
        self.model.names.append("Collecting")
        self.model.connected = False

    @rule(
        where=st.sampled_from(["", "", "do_start", "refusal", "do_work"]),
        gated=st.booleans(),
    )
    def configure(self, where, gated) -> None:
        config = {
            "Faulty": {"where": where},
            "GatedSource": {"gate": str(self.gate) if gated else ""},
        }
        if self.model.state is R:
            with self.refused(Error, "cannot configure while running"):
                self.pipe.configure(config)
            return
        self.pipe.configure(config)
        self.model.where, self.model.gated = where, gated

    @rule()
    def configure_wrongly(self) -> None:
        before = self.pipe.describe()
        with self.refused(ValueError, "'Faulti'; did you mean 'Faulty'"):
            self.pipe.configure({"Counting": {}, "Faulti": {"where": "do_work"}})
        with self.refused(ParameterError, "wher"):
            self.pipe.configure({"Faulty": {"where": "do_stop", "wher": "do_work"}})
        with self.refused(ParameterError, "-1, expected"):
            self.pipe.configure({"Faulty": {"where": ""}, "GatedSource": {"count": -1}})
        assert self.pipe.describe() == before

    @rule(line=st.sampled_from(["default", "all", "short"]))
    def connect(self, line) -> None:
        names = {"default": None, "all": self.model.names, "short": SHORT}[line]
        if self.model.state is R:
            with self.refused(Error, "cannot connect while running"):
                self.pipe.connect(names)
            return
        self.pipe.connect(names)
        self.model.connect(tuple(names or self.model.names))

    @rule()
    def connect_wrongly(self) -> None:
        if self.model.state is R:
            return
        with self.refused(ValueError, "no task 'Nobody'"):
            self.pipe.connect(["GatedSource", "Nobody"])
        assert self.pipe.state is self.model.state

    # Runs

    @rule()
    def start(self) -> None:
        model = self.model
        if model.state is R:
            with self.refused(Error, "is running already"):
                self.pipe.start()
            return
        self.gate.unlink(missing_ok=True)
        model.prepare_start()
        where = model.where if "Faulty" in model.line else ""
        if where in ("do_start", "refusal"):
            with self.refused(Error, "cannot start: Faulty: .*told to .* in do_start"):
                self.pipe.start()
            # A refusal is an answer, anything else a panic that is over by now.
            panic = ["WAITING -> PANICKING", "PANICKING -> WAITING"]
            after = ["do_start", *(panic if where == "do_start" else [])]
            assert self.journal("Faulty")[-len(after) :] == after
            return
        self.pipe.start()
        model.begin()
        if where == "do_work":
            self.note_state(R)
            model.end(lost="Faulty")
            self.await_model()

    @rule()
    def stop(self) -> None:
        state = self.model.state
        self.pipe.stop()
        if state is not W:
            self.model.back_to_waiting()
        if state is R:
            self.check_data()

    @precondition(lambda self: self.model.state is R and self.model.gated)
    @rule()
    def end_by_itself(self) -> None:
        self.gate.touch()
        assert self.pipe.wait(WAIT_SECONDS, quiet=True)
        self.model.end()
        self.check_data()

    @rule()
    def wait(self) -> None:
        state = self.model.state
        if state is P:
            with self.refused(Error, "the run failed: Faulty|the run failed: .* was"):
                self.pipe.wait(quiet=True)
        else:
            assert self.pipe.wait(0.01, quiet=True) is (state is not R)

    @rule()
    def poll(self) -> None:
        if self.model.state is R:
            assert self.pipe.poll(0)
        else:
            self.pipe.until(lambda: not self.pipe.poll(0), lambda: "poll stays True")

    # Ends

    @rule(name=st.sampled_from([*LINE, "Collecting"]))
    def send_kill(self, name) -> None:
        if name not in self.model.names:
            with self.refused(ValueError, f"no task '{name}'"):
                self.pipe.send_kill(name)
            return
        self.pipe.send_kill(name)
        if name in self.model.there:
            self.model.die(name)
            self.await_model()

    @rule()
    def quit(self) -> None:
        state, there = self.model.state, list(self.model.there)
        before = {name: self.journal(name).count("do_quit") for name in there}
        self.pipe.quit()
        self.model.leave()
        for name in there:
            assert self.journal(name)[-1] == "do_quit", name
            assert self.journal(name).count("do_quit") == before[name] + 1
        if state is R:
            self.check_data()

    @rule()
    def kill(self) -> None:
        self.pipe.kill()
        self.model.leave()

    # What is compared

    def journal(self, name: str) -> list[str]:
        path = self.path / name
        return path.read_text().splitlines() if path.exists() else []

    def states(self) -> dict[str, Status]:
        found = {name: handle.status for name, handle in self.pipe.tasks.items()}
        return {"": self.pipe.state} | found

    def expected(self) -> dict[str, Status]:
        model = self.model
        return {"": model.state} | {name: model.status(name) for name in model.names}

    def await_model(self) -> None:
        """Wait for news of what has happened by itself; a command waits itself."""
        self.pipe.until(
            lambda: self.states() == self.expected(),
            lambda: f"{self.states()} is not {self.expected()}",
        )

    def note_state(self, state: Status) -> None:
        if state is not self.last:
            self.transitions.add((self.last, state))
            self.last = state

    @invariant()
    def the_states_are_those_of_the_model(self) -> None:
        assert self.pipe.state is self.model.state
        self.await_model()
        self.note_state(self.model.state)

    @invariant()
    def the_balance_tells_whether_all_is_there(self) -> None:
        if self.model.state is F:
            assert self.pipe.balance().closes
        elif self.model.state is P:
            balance = self.pipe.balance()
            assert not balance.closes
            assert "Faulty failed" in str(balance) or "SIGKILL" in str(balance)

    def check_data(self) -> None:
        """Nothing is lost or counted wrongly when a run ended as it should."""
        balance = self.pipe.balance()
        assert balance.closes, balance
        assert balance.words_read == balance.words_recorded
        self.pipe.settle()
        reports = self.pipe.reports
        report = [values for name, values in reports if name == "Counting"][-1]
        assert report["count"] == balance.words_read
        assert (report["gaps"], report["incomplete"]) == (0, [])

    def check_journals(self) -> None:
        """Look at what each task wrote down itself."""
        for name in self.model.names:
            lines = self.journal(name)
            for line in lines:
                if " -> " in line:
                    before, after = line.split(" -> ")
                    self.task_transitions.add((Status[before], Status[after]))
            # do_stop ends a run that do_start began, once.
            calls = [line for line in lines if line in ("do_start", "do_stop")]
            assert "do_stop, do_stop" not in ", ".join(calls)
            assert calls[:1] != ["do_stop"]

    def teardown(self) -> None:
        self.pipe.kill()
        self.check_journals()
        self.directory.cleanup()
        assert self.transitions <= PIPELINE_TRANSITIONS
        assert self.task_transitions <= TASK_TRANSITIONS


def test_commands_in_any_order_do_what_the_model_says():
    run_state_machine_as_test(
        Commands,
        # A sequence takes as long as many examples of pure code.
        settings=settings(
            max_examples=max(1, settings().max_examples // 4), stateful_step_count=20
        ),
    )


def test_a_tour_of_all_states_meets_every_transition():
    tour = Commands()

    def do(command, *arguments):
        command(*arguments)
        tour.the_states_are_those_of_the_model()
        tour.the_balance_tells_whether_all_is_there()

    try:
        for where in ("", "", "do_work", "do_work"):
            do(tour.configure, where, True)
            do(tour.start)
            if not where:
                do(tour.end_by_itself)
        do(tour.stop)
        for where in ("do_start", "refusal"):
            do(tour.configure, where, False)
            do(tour.start)
        do(tour.configure, "", False)
        do(tour.start)
        do(tour.stop)
        _panic_while_waiting(tour)
        do(tour.start)
        do(tour.quit)
        do(tour.configure, "", True)
        do(tour.start)
        do(tour.end_by_itself)
        do(tour.quit)
        do(tour.configure, "do_work", True)
        do(tour.start)
        do(tour.quit)
        do(tour.configure, "", False)
        do(tour.start)
        _terminate(tour, "Counting")
    finally:
        tour.teardown()
    assert tour.transitions == PIPELINE_TRANSITIONS
    assert tour.task_transitions == TASK_TRANSITIONS


def _panic_while_waiting(tour: Commands) -> None:
    """An error outside of a run is told; the next run goes as usual."""
    tour.pipe.configure({"Faulty": {"where": "do_wait"}})
    tour.model.there["Faulty"] = P
    tour.await_model()
    tour.pipe.settle()
    assert [name for name, _ in tour.pipe.errors][-1] == "Faulty"
    tour.configure("", False)
    tour.the_states_are_those_of_the_model()


def _terminate(tour: Commands, name: str) -> None:
    """SIGTERM in a run lets a task close what it has open, and ends the run."""
    supervisor = tour.pipe.supervisor
    assert supervisor is not None
    pid = supervisor.records[name].task.pid
    assert pid is not None
    os.kill(pid, signal.SIGTERM)
    tour.model.die(name)
    tour.await_model()
    assert tour.journal(name)[-3:] == ["do_stop", "RUNNING -> DYING", "do_quit"]
    assert f"{name} ended with exit code 0" in tour.pipe.balance().problems
    tour.stop()
    tour.the_states_are_those_of_the_model()


def test_a_graph_that_does_not_fit_is_refused_and_changes_nothing(make_pipeline):
    pipeline = make_pipeline("FewNumbers", "OnlyDoWork", "Collecting")
    pipeline.link("Collecting", "OnlyDoWork")
    for command in (pipeline.connect, pipeline.start):
        with pytest.raises(GraphError, match="round in a circle"):
            command()
        assert pipeline.state is W
        assert pipeline.supervisor is None
