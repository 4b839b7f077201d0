"""The simulated sample: the same every time, all of it decodes, it looks right."""

from __future__ import annotations

import numpy as np
import pytest

from pixie_pipe import decode
from pixie_pipe.storage.survey import Survey
from pixie_pipe.testing.sample import LAYOUT, sample_events


def test_the_same_seed_gives_the_same_file(run, tmp_path):
    first, second, other = (tmp_path / name for name in ("a.bin", "b.bin", "c.bin"))
    for path, seed in ((first, 3), (second, 3), (other, 4)):
        code, out, err = run("sample", path, "--events", 300, "--seed", seed)
        assert (code, err) == (0, "")
        assert "pixie-pipe inspect" in out
        assert "--frequency 500 --revision 34688" in out
    assert first.read_bytes() == second.read_bytes() != other.read_bytes()


def test_an_existing_file_is_left_alone(run, tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"mine")
    code, out, err = run("sample", path)
    assert (code, out) == (1, "")
    assert "--force" in err
    assert path.read_bytes() == b"mine"
    assert run("sample", path, "--events", 1, "--force")[0] == 0
    assert path.stat().st_size >= 16
    assert list(tmp_path.iterdir()) == [path]


def test_all_of_it_decodes(tmp_path, run):
    path = tmp_path / "a.bin"
    assert run("sample", path)[0] == 0
    assert path.stat().st_size < 4_000_000
    decoded = decode(path.read_bytes(), LAYOUT)
    assert len(decoded.events) == 50_000
    assert decoded.balance.rejected == decoded.balance.leftover == 0
    assert decoded.events.equals(sample_events(50_000, seed=1))


@pytest.mark.parametrize("count", [1, 2, 17])
def test_any_number_of_events(count):
    assert len(sample_events(count)) == count


def test_it_looks_like_cobalt_60():
    events = sample_events()
    survey = Survey()
    survey.add(events)
    result = survey.result()
    (module,) = result.modules
    assert module.rate_hz is not None
    assert 3000 < module.rate_hz < 3600
    assert 0 < module.disorder < 0.05 * module.events
    assert module.reset_count == 0
    for row in result.channels:
        # 8 ADC units a keV: the two lines stand out of what is between them.
        assert row.spectrum is not None
        kev = 8 / row.energy_per_bin
        lines = [
            row.spectrum[int(e * kev) - 8 : int(e * kev) + 8] for e in (1173, 1332)
        ]
        valley = row.spectrum[int(1240 * kev) - 8 : int(1240 * kev) + 8]
        assert all(line.sum() > 4 * valley.sum() for line in lines)
        assert 0 < row.pileup < 0.03 * row.events
        assert 0 < row.cfd_forced < 0.1 * row.events


def test_energies_follow_from_sums_and_sums_from_traces():
    events = sample_events(20_000)
    chosen = events[events.esum_valid]
    traces = chosen.trace_samples.reshape(len(chosen), 100)
    assert np.array_equal(chosen.esum_trailing, traces[:, 18:38].sum(axis=1))
    assert np.array_equal(chosen.esum_gap, traces[:, 38:58].sum(axis=1))
    assert np.array_equal(chosen.esum_leading, traces[:, 58:78].sum(axis=1))
    # The formula of XIA's SDK for a 14-bit ADC, tau of 30 ns and 20 samples.
    b = np.exp(-2 / 30)
    c0 = -4 * (1 - b) * b**20 / (1 - b**20)
    c1 = 4 * (1 - b)
    c2 = 4 * (1 - b) / (1 - b**20)
    energy = (
        c0 * chosen.esum_trailing + c1 * chosen.esum_gap + c2 * chosen.esum_leading
    ) - chosen.baseline
    assert np.abs(energy.clip(0, 65535) - chosen.energy).max() < 0.51
