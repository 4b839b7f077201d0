"""The base class of all tasks: one process of the pipeline, or a part of one.

What it declares and may override is in `_task_contract`, what it tells in
`_task_reports`, how it handles data in `_task_work`, how it lives in `_task_process`.
The process itself is in `host`, its sockets in `endpoint`; who starts and watches it is
in `supervisor`.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

from pixie_pipe.pipeline._task_process import TaskProcess
from pixie_pipe.pipeline.messages import Status
from pixie_pipe.pipeline.registry import RegistryError, add_search_path, search_path

if TYPE_CHECKING:
    from pixie_pipe.pipeline.data import Origin
    from pixie_pipe.pipeline.endpoint import Endpoint


class Task(TaskProcess):
    """One process of a pipeline.

    A subclass needs nothing but `do_work`, at the top level of a file. What it
    returns, or gives to `send`, goes to the next tasks. Instances are made by
    `Pipeline.create_task`; all but ``__init__`` happens in the task's own process.

    Parameters
    ----------
    name
        Name of the process, unique in the pipeline.
    **kwargs
        The pipeline's `task_kwargs`, kept as ``self.kwargs``. A subclass with an
        ``__init__`` of its own must pass on what it does not know.

    Attributes
    ----------
    class_registry
        All task classes by name.
    reads, writes
        Kinds of data and columns; None means any. A first task that reads nothing, or
        anything, is a source: its `do_work` is called again and again with None.
    parameters
        Parameters by name; their values are in ``self.config``.
    category, label
        Where it stands in the palette, and a line that says what it does.
    role
        ``essential``: its death ends the run. ``optional``: it is restarted, or the
        run goes on without it.
    can_pool
        Whether several workers may share the work: each datum is worked on by itself.
    live
        Whether a source takes data now, rather than reading old ones.
    hang_seconds
        Time without a sign of life after which the process counts as hung.
    conserves_events
        Whether it sends on every event that it gets, or counts it in the ledger as
        ``events_dropped``.
    config
        Values of the parameters.
    status
        The state it is in.
    statistics
        Numbers that are sent along with every report. Free to add to.
    ledger
        Numbers from which the balance of the run is made; see `balance`.
    origin
        Where the datum came from that is being worked on, or None.
    incomplete
        Why the data of this run are not complete; empty while they are.
    state_path
        Where names of files can begin that outlive the process, for one that is
        started in its place; "" if none would be. See `serialize`.
    run_number, run_directory, is_live
        Number of the run in this session, its directory ("" if it has none), and
        whether the data are taken now.

    Examples
    --------
    >>> class HighEnergy(Task):
    ...     threshold = 1000
    ...
    ...     def do_work(self, datum):
    ...         return datum[datum.energy > self.threshold]
    """

    class_registry: ClassVar[dict[str, type[Task]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        known = Task.class_registry.get(cls.__name__)
        if known is not None and not _is_same(known, cls):
            raise RegistryError(
                f"a task {cls.__name__} is there already, in {known.__module__}; the "
                f"one in {cls.__module__} needs another name"
            )
        Task.class_registry[cls.__name__] = cls

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name or type(self).__name__, daemon=False)
        self.kwargs = kwargs
        self.control_address = ""
        self.bind_data = ""
        self.bind_acks = ""
        self.is_worker = False
        self.companions: Sequence[TaskProcess] = ()
        self.status = Status.WAITING
        self.statistics: dict[str, Any] = {}
        self.ledger: dict[str, int] = {}
        self.origin: Origin | None = None
        self.run_number = 0
        self.run_directory = ""
        self.state_path = ""
        self.is_live = False
        self.is_start = False
        self.is_final = False
        self.config = SimpleNamespace(
            **{key: known.default for key, known in self.parameters.items()}
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Let the new process find the class first, then fill in the rest."""
        kind = type(self)
        place = (list(search_path()), kind.__module__, kind.__qualname__)
        return _find_and_make, place, self.__dict__


def _is_same(known: type, new: type) -> bool:
    """Tell whether `new` is `known` defined again: a cell or a file that ran twice."""
    names = {known.__module__, new.__module__}
    same_module = len(names) == 1 or names <= {"__main__", "__mp_main__"}
    return same_module and known.__qualname__ == new.__qualname__


def _find_and_make(path: list[str], module: str, qualname: str) -> TaskProcess:
    """Make a task in its new process, where its class is not known yet."""
    # Ctrl-C is for the pipeline to handle; it must not interrupt the imports either.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import importlib

    try:
        add_search_path(path)
        found: Any = importlib.import_module(
            "__mp_main__" if module == "__main__" else module
        )
        for part in qualname.split("."):
            found = getattr(found, part)
    except Exception as error:  # noqa: BLE001 - whatever the file of a user raises
        stand_in = _NotFound.__new__(_NotFound)
        stand_in.error = error
        return stand_in
    made: Task = found.__new__(found)
    return made


class _NotFound(TaskProcess):
    """Stands for a task whose class cannot be had in its process, to tell why."""

    error: Exception

    def open_sockets(self, endpoint: Callable[[], Endpoint]) -> None:  # noqa: ARG002
        """Fail as the import did."""
        raise self.error
