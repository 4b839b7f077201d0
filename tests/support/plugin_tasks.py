"""Tasks in files and in other packages, and a look at them from a new process."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

ADD = """\
from pixie_pipe.pipeline import Parameter, Task


class {name}(Task):
    parameters = {{"number": Parameter({number}, "what is added")}}

    def do_work(self, datum):
        return datum + self.config.number
"""


def write_task(directory: Path, name: str, number: int = 1) -> Path:
    """Write a file with a task that adds a number; ``add_some`` has ``AddSome``."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.py"
    class_name = "".join(part.capitalize() for part in name.split("_"))
    path.write_text(ADD.format(name=class_name, number=number))
    return path


def write_package(site: Path, module: str, entries: dict[str, str], code: str) -> None:
    """Install a package: a module, and what it announces as tasks."""
    site.mkdir(exist_ok=True)
    (site / f"{module}.py").write_text(code)
    info = site / f"{module}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.2\n"
    )
    lines = [f"{name} = {target}" for name, target in entries.items()]
    (info / "entry_points.txt").write_text(
        "\n".join(["[pixie_pipe.tasks]", *lines, ""])
    )


def tell_about(task: Any, connection: Any) -> None:
    """Send what a task is, seen from the process that it was sent to."""
    kind = type(task)
    connection.send((kind.__module__, kind.__name__, task.name, vars(task.config)))


def seen_from_new_process(task: Any, method: str) -> tuple[Any, ...]:
    """Return what `tell_about` tells in a process started by a method."""
    context: Any = multiprocessing.get_context(method)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=tell_about, args=(task, sender))
    process.start()
    sender.close()
    try:
        told: tuple[Any, ...] = receiver.recv()
    finally:
        process.join()
        receiver.close()
        process.close()
    return told
