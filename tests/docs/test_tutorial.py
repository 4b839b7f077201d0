"""The tutorial runs as it stands, and finds what it says."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("iminuit")
pytest.importorskip("matplotlib")

from scripts.make_tutorial import FIGURES, PAGE, run_page


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_tutorial(tmp_path):
    found = run_page(tmp_path)
    # Both lines in both detectors, where the calibration puts them.
    events = found["events"]
    for slot in (2, 3):
        kev = events.energy_kev[events.slot == slot]
        for line, width in ((511.0, 30), (1274.5, 40)):
            near = kev[abs(kev - line) < width]
            assert near.size > 3000
            assert abs(np.median(near) - line) < 2
    # 15 s of 20 kHz in both, of which some 10 % are pairs of whole quanta.
    assert len(found["both"]) > 4000
    # The delays of the CFDs at 250 and 500 MSPS, see docs/simulation.md.
    assert abs(found["near"].mean() - (31 - 11.7)) < 1
    assert 0.1 < found["near"].std() < 0.3
    assert found["matrix"].counts.sum() > 10_000
    made = {path.name for path in (tmp_path / "figures").glob("*.png")}
    assert made == {path.name for path in FIGURES.glob("na22-*.png")}
    for name in made:
        assert f"(figures/{name})" in PAGE.read_text(encoding="utf-8")
