"""A task that keeps what sources send, and a source that is slow."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pixie_pipe.pipeline.data import Kind
from pixie_pipe.pipeline.declarations import Category, port
from pixie_pipe.pipeline.parameters import Parameter
from pixie_pipe.pipeline.task import Task
from pixie_pipe.tasks.load_files import LoadFiles


class CollectWords(Task):
    """Writes the words of each stream to a file, and counts them as decoded."""

    category = Category.SINK
    reads = (port(Kind.WORDS), port(Kind.MARKS))
    parameters: ClassVar = {"directory": Parameter("", "where the files go")}

    def do_start(self):
        self.files = {}
        self.ledger["words_decoded"] = 0

    def do_work(self, datum):
        name = datum.stream.name
        if hasattr(datum, "ended"):
            if not datum.ended:
                assert not any(file.tell() for file in self.files.values())
                path = Path(self.config.directory) / f"{name}.words"
                self.files[name] = path.open("wb")
            return
        file = self.files[name]
        assert datum.offset * 4 == file.tell()
        file.write(datum.words)
        self.ledger["words_decoded"] += datum.words.size

    def do_stop(self):
        for file in self.files.values():
            file.close()


class SlowFiles(LoadFiles):
    """Reads a hundred frames in a second, at most."""

    def do_work(self, datum):
        self.pause(0.01)
        return super().do_work(datum)
