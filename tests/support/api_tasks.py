"""Tasks for the tests of the public API: they write down what happens to them.

Each process appends to a file of its own, named after it, in the directory that the
pipeline gives to all tasks: ``Pipeline({"journal": directory})``.
"""

from __future__ import annotations

import os
from pathlib import Path

from pixie_pipe.pipeline import Category, Error, Parameter, Role, Task


class Journaled(Task):
    """Writes down every callback, and every change of its status."""

    def __setattr__(self, name, value):
        before = self.__dict__.get("status")
        super().__setattr__(name, value)
        if name == "status" and before not in (None, value):
            self.note(f"{before.name} -> {value.name}")

    def note(self, text):
        """Append a line to the journal."""
        if "journal" in self.kwargs:
            with (Path(self.kwargs["journal"]) / self.name).open("a") as file:
                file.write(f"{text}\n")

    def do_init(self):
        self.note("do_init")

    def do_configure(self, config):
        self.note("do_configure " + " ".join(sorted(config)))

    def do_connect(self):
        self.note(f"do_connect {self.is_start} {self.is_final}")

    def do_start(self):
        self.note("do_start")

    def do_work(self, datum):
        return datum

    def do_stop(self):
        self.note("do_stop")

    def do_quit(self):
        self.note("do_quit")


class GatedSource(Journaled):
    """Counts up; ends by itself as soon as the file `gate` is there."""

    reads = ()
    category = Category.SOURCE
    parameters = {
        "gate": Parameter("", "file to end at; empty: never"),
        "count": Parameter(0, "numbers to send, then wait for the gate; 0: any", min=0),
    }

    def do_start(self):
        super().do_start()
        self.sent = 0
        self.ledger["words_read"] = 0

    def do_work(self, datum):
        if self.config.gate and Path(self.config.gate).exists():
            self.finish()
            return
        if self.config.count and self.sent >= self.config.count:
            self.pause(0.01)
            return
        self.pause(0.002)
        self.send(self.sent)
        self.sent += 1
        self.ledger["words_read"] = self.sent


class Faulty(Journaled):
    """Passes on, and fails in the callback that `where` names.

    A refusal is an error of the pipeline's own kind: the task itself stays sound.
    """

    parameters = {"where": Parameter("", "callback that fails; empty: none")}

    def _fail(self, where):
        if self.config.where == where:
            raise RuntimeError(f"told to fail in {where}")

    def do_configure(self, config):
        super().do_configure(config)
        self._fail("do_configure")

    def do_start(self):
        super().do_start()
        self._fail("do_start")
        if self.config.where == "refusal":
            raise Error("told to refuse in do_start")

    def do_work(self, datum):
        self._fail("do_work")
        return datum

    def do_wait(self):
        self._fail("do_wait")


class Counting(Journaled):
    """Checks that the numbers come without gaps, and tells at the end."""

    category = Category.SINK

    def do_start(self):
        super().do_start()
        self.count = 0
        self.gaps = 0
        self.ledger["words_recorded"] = 0

    def do_work(self, datum):
        self.gaps += datum != self.count
        self.count += 1
        self.ledger["words_recorded"] = self.count
        self.statistics["count"] = self.count

    def do_stop(self):
        super().do_stop()
        report = {"count": self.count, "gaps": self.gaps, "run": self.run_number}
        self.send_report(report | {"incomplete": self.incomplete}, force=True)


class OnlyDoWork(Task):
    """Nothing but `do_work`."""

    def do_work(self, datum):
        return datum + 1000


class Generating(Journaled):
    """Sends by all ways there are for one datum: `send`, and what it yields."""

    can_pool = True

    def do_work(self, datum):
        self.send(datum)
        self.send(None)
        yield datum + 0.25
        yield None
        yield datum + 0.5


class Collecting(Journaled):
    """Keeps what comes, and reports it at the end."""

    category = Category.SINK

    def do_start(self):
        super().do_start()
        self.data = []

    def do_work(self, datum):
        self.note(f"do_work {datum!r}")
        self.data.append(datum)

    def do_stop(self):
        super().do_stop()
        self.send_report({"data": self.data[:1000]}, force=True)


class FewNumbers(Journaled):
    """Sends 0, 1 and 2, then ends, and has a last word if it is asked to."""

    reads = ()
    category = Category.SOURCE
    parameters = {"last_words": Parameter(default=True, description="send at the end")}

    def do_start(self):
        super().do_start()
        self.sent = 0

    def do_work(self, datum):
        self.note(f"do_work {datum!r} {self.stop_asked}")
        if self.sent == 3:
            self.finish()
        else:
            self.send(self.sent)
            self.sent += 1

    def do_stop(self):
        super().do_stop()
        if self.config.last_words:
            self.send("from do_stop")


class Talking(Journaled):
    """Prints and reports in its callbacks."""

    def do_init(self):
        self.print("init", self.kwargs.get("greeting"), sep="; ")

    def do_start(self):
        print("a line", "of two words")
        print("half a", end=" ")
        print("line")
        for number in range(1000):
            self.report(number=number)
        self.report(other="value")

    def do_stop(self):
        self.send_report({"only": "this"}, force=True)
        self.send_report({"held": "back"})
        self.print("stopped")

    def do_quit(self):
        self.print("left")


class Beating(Journaled):
    """Writes down its signs of life and its waits, with the times of the next ones."""

    def send_heart_beat(self):
        super().send_heart_beat()
        self.note(f"beat {self.status.name} {self._next_beat}")

    def do_wait(self):
        self.note(f"do_wait {self.status.name} {self._next_wait}")


class Traced(Journaled):
    """Writes down the steps of its life, around the callbacks."""

    def run(self):
        self.note("run")
        super().run()

    def init(self):
        self.note("init")
        super().init()
        self.note("init is over")

    def poll(self, timeout=0.0, *, data=False):
        self._note_once("poll")
        return super().poll(timeout, data=data)

    def wait(self):
        self._note_once("wait")
        super().wait()

    def connect(self, message):
        self.note("connect")
        super().connect(message)

    def configure(self, config):
        self.note("configure")
        super().configure(config)

    def begin(self, start):
        self.note("begin")
        super().begin(start)

    def work(self):
        self._note_once("work")
        super().work()

    def do_work(self, datum):
        self.note(f"do_work {datum!r}")

    def stop(self):
        self.note("stop")
        super().stop()

    def quit(self):
        self.note("quit")
        super().quit()

    def _note_once(self, text):
        noted = self.__dict__.setdefault("noted", set())
        if text not in noted:
            noted.add(text)
            self.note(text)


class Unfinished(Task):
    """Has no `do_work`."""


class Sour(Task):
    """Fails when it leaves."""

    def do_work(self, datum):
        return datum

    def do_quit(self):
        raise RuntimeError("told to fail in do_quit")


class Honest(Journaled):
    """Says that its data are not complete, and notes what it got to know."""

    def do_work(self, datum):
        if datum == 1:
            self.give_up("one is missing")
            self.give_up("one is missing")
            return None
        return datum

    def do_stop(self):
        self.note(f"do_stop {self.incomplete}")


class Sizes(Task):
    """Has a parameter of each type."""

    parameters = {
        "flag": Parameter(default=False, description="a boolean"),
        "number": Parameter(3, "an integer", min=0, max=10),
        "ratio": Parameter(0.5, "a number"),
        "text": Parameter("a", "a text", choices=("a", "b")),
        "names": Parameter(["x"], "a list", items=str),
        "limit": Parameter(None, "may be none", type=float),
    }

    def do_configure(self, config):
        self.given = dict(config)

    def do_work(self, datum):
        values = {name: getattr(self.config, name) for name in self.parameters}
        self.send_report({"given": self.given, "config": values}, force=True)


class Leaving(Journaled):
    """Ends its process when it is connected, if `where` says so."""

    parameters = {"where": Parameter("", "callback to leave in")}

    def do_connect(self):
        super().do_connect()
        if self.config.where == "do_connect":
            os._exit(7)


class Remembering(Journaled):
    """A tap that goes on where it was killed."""

    category = Category.MONITOR
    role = Role.OPTIONAL

    def do_start(self):
        super().do_start()
        self.total = 0

    def do_work(self, datum):
        self.total += datum
        self.statistics["total"] = self.total

    def do_stop(self):
        super().do_stop()
        self.send_report({"total": self.total}, force=True)

    def serialize(self):
        self.note("serialize")
        return str(self.total).encode()

    def restore(self, state):
        self.note(f"restore {int(state)}")
        self.total = int(state)


class Choosy(Task):
    """Its constructor refuses what it is not asked for."""

    def __init__(self, name, wanted="anything"):
        super().__init__(name)
        self.wanted = wanted

    def do_work(self, datum):
        return datum
