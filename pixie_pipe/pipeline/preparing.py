"""What is compiled before tasks need it, in processes of their own.

The kernels of all tasks are compiled by the server of processes (`preload`). Those that
only some parameters of a task need are compiled here, while its process starts: the
task then finds them in the cache, and is not silent for as long as compiling takes.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from pixie_pipe._kernel_cache import is_warm, note_warm

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess


class Preparation(NamedTuple):
    """Kernels to be compiled before a task works, once for each installation.

    Attributes
    ----------
    name
        Name of these kernels, also of the file that tells that they are compiled.
    function
        What compiles them: a function at the top level of a file.
    told
        What people are told meanwhile.
    """

    name: str
    function: Callable[[], None]
    told: str

    def do(self) -> None:
        """Compile the kernels, and note that they are."""
        self.function()
        note_warm(self.name)


class Preparations:
    """Does what tasks have to have prepared.

    Parameters
    ----------
    wanted
        What they have; what was done before is left out.
    tell
        Called at once with what people are told.
    """

    def __init__(
        self, wanted: Iterable[Preparation], tell: Callable[[str], None]
    ) -> None:
        self._wanted = [item for item in set(wanted) if not is_warm(item.name)]
        self._processes: list[BaseProcess] = []
        for told in {item.told for item in self._wanted}:
            tell(told)

    def start(self) -> None:
        """Begin, each in a process of its own.

        The server of processes must have been started.
        """
        context = multiprocessing.get_context("forkserver")
        for preparation in self._wanted:
            process = context.Process(target=preparation.do, daemon=True)
            process.start()
            self._processes.append(process)

    def wait(self, seconds: float) -> None:
        """Wait until all is done. What fails, or takes longer, is left to the task."""
        for process in self._processes:
            process.join(seconds)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()
        self._processes.clear()
