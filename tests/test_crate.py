"""The crate at a prompt, with XIA's library and with what stands for it."""

from __future__ import annotations

from typing import Any

import pytest

from pixie_pipe.crate import Crate, SetupError, set_up
from pixie_pipe.drivers.digitizer import DriverError
from pixie_pipe.drivers.recorded import RecordedDigitizer
from pixie_pipe.drivers.simulated import SimulatedDigitizer
from pixie_pipe.scanning import ChoiceError
from pixie_pipe.settings import (
    ChangesRefusedError,
    Outcome,
    SettingsError,
    read_json,
)
from tests.support.raw_files import words_of

MODULES = ("0/2:250/30474", "0/3:500/34688")


@pytest.fixture
def crate():
    with Crate("simulated", modules=MODULES, channels=2, rate_hz=2000) as crate:
        yield crate


def test_values_are_set_where_one_says_and_read_back(crate):
    before = crate.get("TRIGGER_RISETIME")
    changes = crate.set(TRIGGER_RISETIME=0.1, modules="c0-s02", channels=[0, 3])
    assert [(c.module, c.channel) for c in changes] == [(0, 0), (0, 3)]
    # 250 MSPS has clocks of 8 ns.
    assert {c.got for c in changes} == {0.104}
    assert {c.outcome for c in changes} == {Outcome.ROUNDED}
    after = crate.get("TRIGGER_RISETIME")
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"c0-s02 ch 00", "c0-s02 ch 03"}
    assert set(crate.get("SLOW_FILTER_RANGE")) == {"c0-s02", "c0-s03"}


def test_named_bits_are_set_and_read(crate):
    crate.set({"Polarity": "negative", "CaptureTrace": True}, modules=1, channels=0)
    assert crate.get("Polarity", modules=1, channels=0) == {"c0-s03 ch 00": "negative"}
    assert set(crate.get("CaptureTrace", modules=1).values()) == {True, False}


def test_what_is_temporary_is_undone_also_after_an_error(crate):
    before = crate.settings()

    def fail():
        with crate.temporary(ENERGY_RISETIME=2.0, CaptureTrace=True) as changes:
            assert len(changes) == 64
            assert crate.compare(before)
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert not crate.compare(before)


def test_settings_go_to_a_file_and_come_back(crate, tmp_path):
    path = tmp_path / "settings.json"
    crate.save_settings(path)
    before = read_json(path)
    crate.set(TAU=33.0, channels=1)
    differences = crate.compare(path)
    assert {(d.slot, d.channel, d.name) for d in differences} == {
        (2, 1, "TAU"),
        (3, 1, "TAU"),
    }
    crate.load_settings(path)
    assert not crate.compare(before)
    with pytest.raises(FileExistsError):
        crate.save_settings(path)


def test_a_file_of_other_modules_is_refused(crate, tmp_path):
    path = tmp_path / "settings.json"
    with Crate("simulated", modules=["0/7:250/30474"]) as other:
        other.save_settings(path)
    before = crate.settings()
    with pytest.raises(DriverError, match="crate 0, slot 2: no settings"):
        crate.load_settings(path)
    assert not crate.compare(before)


def test_offsets_go_to_where_baselines_are_wanted(crate):
    crate.set(BASELINE_PERCENT=25, modules=0)
    before = crate.get("VOFFSET", modules=0, channels=0)
    offsets = crate.adjust_offsets(0)
    assert len(offsets.targets) == 16
    assert offsets.before_percent[:2] == pytest.approx([10, 10], abs=0.5)
    assert offsets.after_percent == pytest.approx([25] * 16, abs=0.5)
    assert offsets.before_v[0] == before["c0-s02 ch 00"]
    assert crate.get("VOFFSET", modules=0, channels=0) != before
    assert offsets.away() == []


def test_settings_are_copied_between_channels(crate):
    crate.set(TAU=12.5, CFDScale=3, modules=0, channels=0)
    crate.copy(0, 0, modules=0, channels=[1, 2])
    assert crate.get("TAU", modules=0, channels=[0, 1, 2]) == dict.fromkeys(
        ("c0-s02 ch 00", "c0-s02 ch 01", "c0-s02 ch 02"), 12.5
    )
    assert crate.get("CFDScale", modules=0, channels=3) != {"c0-s02 ch 03": 3.0}


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda c: c.set(TRIGER_RISETIME=1), SettingsError, "TRIGGER_RISETIME"),
        (lambda c: c.set(TAU=1, channels=99), ChoiceError, "there is no channel 99"),
        (lambda c: c.set(TAU=1, modules="c0-s09"), ChoiceError, "no module c0-s09"),
        (lambda c: c.set(VOFFSET=-1.7), SettingsError, "-1.5"),
        (lambda c: c.get("TAUU"), SettingsError, "TAU"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_written(crate, call, error, text):
    before = crate.settings()
    with pytest.raises(error, match=text):
        call(crate)
    assert not crate.compare(before)


def test_nothing_is_set_while_a_run_goes_on(crate):
    crate.digitizer.start_run()
    with pytest.raises((DriverError, ChangesRefusedError), match="run"):
        crate.set(TAU=1.0)
    crate.digitizer.stop_run()
    crate.set(TAU=1.0)


def test_a_list_of_settings(crate):
    first, second = set_up(
        crate.digitizer,
        [
            {"TRIGGER_RISETIME": 0.2},
            {"modules": ["c0-s03"], "channels": [0], "CaptureTrace": True},
        ],
    )
    assert len(first) == 32
    assert [(c.module, c.channel, c.got) for c in second] == [(1, 0, True)]
    wrong: list[tuple[Any, str]] = [
        ("TAU", r"setup\[0\] is 'TAU', expected values by name"),
        ({"TAUU": 1}, r"setup\[0\]: nothing was written(?s:.*)did you mean TAU"),
        ({"channels": 77, "TAU": 1}, r"setup\[0\]: there is no channel 77"),
    ]
    for entry, text in wrong:
        with pytest.raises(SetupError, match=text):
            set_up(crate.digitizer, [entry])


def test_a_driver_without_parameters_says_so(tmp_path):
    words_of(100).tofile(tmp_path / "a.bin")
    digitizer = RecordedDigitizer([tmp_path / "a.bin"], ["0/2:500/34688"])
    with Crate(digitizer) as crate:
        for call in (lambda: crate.set(TAU=1), crate.settings, crate.adjust_offsets):
            with pytest.raises(DriverError, match="RecordedDigitizer cannot"):
                call()


def test_it_shows_its_modules(crate):
    assert repr(crate) == "<crate of SimulatedDigitizer: c0-s02, c0-s03>"
    assert isinstance(crate.digitizer, SimulatedDigitizer)
