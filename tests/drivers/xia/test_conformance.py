"""XiaDigitizer does what every driver must do, also as a source of a pipeline."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from pixie_pipe.listmode import Layout
from pixie_pipe.testing.digitizer_tests import (
    DigitizerTests,
    ParametersTests,
    PausingTests,
    SignalsTests,
)
from tests.support.raw_files import words_of

LAYOUTS = {
    2: Layout.find(250, 42950, "F"),
    3: Layout.find(500, 35921, "F"),
    5: Layout.find(250, 46540, "H"),
}


def words_in(slot: int, count: int, *, crate: int = 0):
    """Return words of a module of the simulated crate, with traces."""
    return words_of(
        count, seed=slot, layout=LAYOUTS[slot], modules=[(crate, slot)], mixed=True
    )


class TestXia(DigitizerTests, PausingTests, ParametersTests, SignalsTests):
    """Three kinds of modules, which give words while they are read."""

    @pytest.fixture
    def digitizer(self, make, xia):
        for module, slot in enumerate((2, 3, 5)):
            number = module if slot < 5 else 3
            xia.source(number, words_in(slot, 20_000), step=211)
        return make((2, 3, 5))


def test_in_a_pipeline_exactly_the_words_of_the_modules_are_recorded(
    library_path: Path, tmp_path: Path
) -> None:
    from pixie_pipe.pipeline.pipeline import Pipeline

    given = {slot: words_in(slot, 5000, crate=1) for slot in (2, 3)}
    for slot, words in given.items():
        words.tofile(library_path.parent / f"slot{slot:02d}.words")
    # The process of the source has the library for itself.
    options = {
        "slots": [2, 3],
        "library": str(library_path),
        "log_directory": str(tmp_path),
        "crate": 1,
    }
    with Pipeline(runs=tmp_path / "runs") as pipeline:
        pipeline.create_task("TakeData", driver="xia", options=options)
        pipeline.create_task("GatherData")
        pipeline.create_task("ConvertToEvents")
        pipeline.create_task("PrintData")
        for number in (1, 2):
            pipeline.start()
            pipeline.wait(60, quiet=True)
            balance = pipeline.balance()
            assert balance.closes
            assert balance.words_read == sum(words.size for words in given.values())
            for slot, words in given.items():
                name = f"{number:04d}/raw/c1-s{slot:02d}-0000.bin"
                recorded = np.fromfile(tmp_path / "runs" / name, np.uint32)
                np.testing.assert_array_equal(recorded, words)
    # One initialisation for both runs; the modules are let go when the process ends.
    assert (tmp_path / "Pixie16Msg.log").read_text() == "init\nexit\n"
    shutil.rmtree(tmp_path / "runs")
