"""Sessions of drivers whose modules are nobody else's: files, or a simulation."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pixie_pipe.drivers.digitizer import DriverError

if TYPE_CHECKING:
    from pixie_pipe.drivers.digitizer import ModuleInfo


class OwnSession:
    """The part of a driver that is opened and closed, and refuses what cannot be."""

    _is_open = False
    _modules: Sequence[ModuleInfo] = ()

    if TYPE_CHECKING:

        def open(self) -> None: ...

        def close(self) -> None: ...

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _refuse_if_closed(self) -> None:
        if not self._is_open:
            raise DriverError("the session is not open: call open() first")

    def _refuse_unknown(self, module: int) -> None:
        if not 0 <= module < len(self._modules):
            raise DriverError(
                f"there is no module {module}, expected 0 to {len(self._modules) - 1}"
            )
