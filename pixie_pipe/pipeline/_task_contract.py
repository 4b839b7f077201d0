"""What a task declares, what it may override, and what it can look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

from pixie_pipe.pipeline.declarations import Category, Port, Role

if TYPE_CHECKING:
    from pixie_pipe.pipeline.data import Origin
    from pixie_pipe.pipeline.messages import Status
    from pixie_pipe.pipeline.parameters import Parameter
    from pixie_pipe.pipeline.preparing import Preparation


class TaskContract:
    """Declarations, callbacks with their defaults, and attributes of a task.

    They are described at `Task`.
    """

    reads: ClassVar[Sequence[Port] | None] = None
    writes: ClassVar[Sequence[Port] | None] = None
    parameters: ClassVar[Mapping[str, Parameter]] = {}
    category: ClassVar[Category] = Category.TRANSFORM
    label: ClassVar[str] = ""
    role: ClassVar[Role] = Role.ESSENTIAL
    can_pool: ClassVar[bool] = False
    live: ClassVar[bool] = False
    hang_seconds: ClassVar[float] = 60.0
    conserves_events: ClassVar[bool] = False

    name: str
    config: SimpleNamespace
    status: Status
    statistics: dict[str, Any]
    ledger: dict[str, int]
    origin: Origin | None
    run_number: int
    run_directory: str
    state_path: str
    is_live: bool
    is_start: bool
    is_final: bool

    @classmethod
    def preparations(
        cls,
        parameters: Mapping[str, Any],  # noqa: ARG003 - for those that override it
    ) -> Sequence[Preparation]:
        """Return what is to be compiled before its process works with parameters.

        Called in the process of the pipeline: it must not import much.

        Parameters
        ----------
        parameters
            The values of all its parameters.
        """
        return ()

    def do_init(self) -> None:
        """Prepare what lasts for the life of the process. Called once, first."""

    def do_configure(self, config: Mapping[str, Any]) -> None:
        """Take values of parameters; ``self.config`` has them already.

        Called while waiting. What it raises is shown, and the command refused.

        Parameters
        ----------
        config
            The values that were given, checked against `parameters`.
        """

    def do_connect(self) -> None:
        """Called when the neighbours are known: ``is_start``, ``is_final``."""

    def do_start(self) -> None:
        """Prepare a run. Must reset what the last run left. Called for each START."""

    def do_work(self, datum: Any) -> Any:  # noqa: ANN401 - any kind of data
        """Work on one datum.

        Parameters
        ----------
        datum
            What a neighbour sent, of a kind in `reads`; other kinds pass through
            unseen. Its arrays cannot be written to. None for a source, which is
            called again and again: it sends, or calls `pause`, or `finish`.

        Returns
        -------
        object
            What to send on, as for `send`; None for nothing. A generator sends
            each of its items.
        """
        raise NotImplementedError(f"{type(self).__name__} has no do_work(datum)")

    def do_wait(self) -> None:
        """Called about every 0.1 s, between data and while waiting.

        ``self.status`` tells whether a run goes on; then it may send.
        """

    def do_pause(self) -> None:
        """Make no data until `do_resume` or `do_stop`; only sources are asked to.

        Called between two calls of `do_work`, which is not called meanwhile. May send
        what was held back.
        """

    def do_resume(self) -> None:
        """Make data again, after `do_pause`."""

    def do_stop(self) -> None:
        """End the run: no more data will come. May send what was held back.

        Called once for each run, also if the run failed; ``self.incomplete`` says
        why data are missing then.
        """

    def do_quit(self) -> None:
        """Give back what `do_init` took. Called once, last."""

    def serialize(self) -> bytes | None:
        """Return the state that a restarted process goes on from; None for none."""
        return None

    def restore(self, state: bytes) -> None:
        """Take up the state that `serialize` returned, after `do_start`."""
