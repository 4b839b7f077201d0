from __future__ import annotations

import numpy as np
import pytest

from pixie_pipe.calibration import write_calibrations
from pixie_pipe.events import Block
from pixie_pipe.pipeline import ParameterError
from pixie_pipe.tasks.calibrate import Calibrate
from tests.calibration.test_files import calibration
from tests.storage.runs import some_events

EVENTS = some_events(500, modules=[(0, 2)], channels=2)


@pytest.fixture
def path(tmp_path):
    return write_calibrations(
        tmp_path / "c.yaml",
        [calibration(0.1, first_run=1, last_run=9), calibration(0.2, first_run=10)],
    )


def test_events_get_energies_in_kev(drive, tmp_path, path):
    run = tmp_path / "0012"
    run.mkdir()
    task = drive(Calibrate, file=str(path), directory=run).start()
    found = task.work(EVENTS[:200], EVENTS[200:])
    kev = np.concatenate([part.energy_kev for part in found])
    is_known = EVENTS.channel == 0
    expected = np.where(is_known, 0.5 + 0.2 * EVENTS.energy, np.nan)
    np.testing.assert_allclose(kev, expected, rtol=1e-6)
    assert Block.CALIBRATION in found[0].blocks
    assert task.task.statistics == {
        "channels": 1,
        "without": int(np.count_nonzero(~is_known)),
    }


def test_the_calibration_is_that_of_a_run(drive, path):
    # Without a directory the one that begins latest is taken.
    for run, gain in [(3, 0.1), (None, 0.2), (10, 0.2)]:
        task = drive(Calibrate, file=str(path), run=run).start()
        (found,) = task.work(EVENTS[EVENTS.channel == 0])
        kev = 0.5 + gain * EVENTS.energy[EVENTS.channel == 0]
        np.testing.assert_allclose(found.energy_kev, kev, rtol=1e-6)


def test_spread_energies_do_not_depend_on_batches(drive, path):
    whole, parts, other = (
        drive(Calibrate, file=str(path), spread=True, seed=seed).start()
        for seed in (3, 3, 4)
    )
    (one,) = whole.work(EVENTS)
    two = parts.work(EVENTS[:123], EVENTS[123:])
    kev = np.concatenate([part.energy_kev for part in two])
    assert np.array_equal(one.energy_kev, kev, equal_nan=True)
    (three,) = other.work(EVENTS)
    chosen = EVENTS.channel == 0
    assert not np.array_equal(kev[chosen], three.energy_kev[chosen])
    exact = 0.5 + 0.2 * EVENTS.energy[chosen]
    assert np.abs(kev[chosen] - exact).max() <= 0.1 + 1e-3


def test_files_are_looked_at_early(drive, path, tmp_path):
    with pytest.raises(ParameterError, match=r"Calibrate.file: .* cannot be read"):
        drive(Calibrate, file=str(tmp_path / "none.yaml"))
    with pytest.raises(ParameterError, match="file is not set"):
        drive(Calibrate).start()
    with pytest.raises(ParameterError, match="no calibration is valid for run 0"):
        drive(Calibrate, file=str(path), run=0).start()
