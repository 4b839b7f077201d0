"""The simulated crate, with modules that can be pulled, and a record of what it gave.

The words of each module go to a file of their own when they are given away: what is
recorded must be the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from pixie_pipe.drivers.digitizer import DriverError
from pixie_pipe.drivers.simulated import SimulatedDigitizer

if TYPE_CHECKING:
    import numpy as np

PULLED = "pulled"
"""Name of the file that has the number of the module that is pulled when it appears."""


class FailingCrateDigitizer(SimulatedDigitizer):
    """Gives words until one of its modules is pulled.

    Parameters
    ----------
    directory
        Where to write ``given-<run>-<module>.words``, and to look for `PULLED`.
    """

    def __init__(self, *, directory: str, **options: Any) -> None:
        super().__init__(**options)
        self._directory = Path(directory)

    def start_run(self) -> None:
        self._pulled: int | None = None
        super().start_run()

    def read(self, module: int, max_words: int) -> NDArray[np.uint32]:
        file = self._directory / PULLED
        if self._pulled is None and file.exists():
            self._pulled = int(file.read_text())
        if module == self._pulled:
            raise DriverError(
                f"{self.modules[module].name} does not answer any more: look whether "
                f"it is in its slot and has power, then start again"
            )
        words = super().read(module, max_words)
        run = len(list(self._directory.glob("0*")))
        path = self._directory / f"given-{run:04d}-{self.modules[module].name}.words"
        with path.open("ab") as given:
            words.tofile(given)
        return words
