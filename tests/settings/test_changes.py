"""Changes: checked as a whole, written in order, read back."""

from __future__ import annotations

import copy
import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.settings import (
    ChangesRefusedError,
    ModuleKind,
    Outcome,
    ParameterRefusedError,
    ReturnCode,
    SettingsAccess,
    SettingsError,
    apply,
    every_channel,
)
from tests.support.module_settings import (
    KINDS,
    WRITABLE,
    access_of,
    crate_of,
    kinds,
    settle,
    values_of_channels,
)

BOTH = every_channel([2, 3], [0, 5])


class Recorder(SettingsAccess):
    """Settings that remember what was written."""

    def __init__(self, settings):
        super().__init__(settings)
        self.written: list[tuple[Any, ...]] = []

    def write_channel(self, name, value, module, channel):
        self.written.append((name, module, channel))
        super().write_channel(name, value, module, channel)

    def write_module(self, name, value, module):
        self.written.append((name, module))
        super().write_module(name, value, module)


def test_values_go_to_channels_and_modules():
    target = access_of(2, 3)
    values = {
        "TRIGGER_RISETIME": [0.16, 0.24, 0.32, 0.4],
        "CFDScale": 3,
        "TrigConfig1": [7, 8],
        "Polarity": "positive",
    }
    before = copy.deepcopy(values)
    changes = apply(target, values, channels=BOTH)
    assert values == before
    assert len(changes) == 4 + 4 + 2 + 4
    assert all(change.outcome is Outcome.AS_ASKED for change in changes)
    got = [target.read_channel("TRIGGER_RISETIME", m, c) for m, c in BOTH]
    assert got == [0.16, 0.24, 0.32, 0.4]
    assert [target.read_module("TrigConfig1", m) for m in (2, 3)] == [7, 8]
    assert target.read_channel("CFDScale", 3, 1) == 0


def test_names_of_bits_do_not_go_from_one_module_to_another():
    """The other switches of a module stay what they are in that module."""
    target = access_of(2, 3)
    target.write_module("MODULE_CSRB", 0x402, 2)
    target.write_module("MODULE_CSRB", 0x800, 3)
    target.write_channel("CHANNEL_CSRA", 0x84, 2, 0)
    target.write_channel("CHANNEL_CSRA", 0x104, 3, 0)
    values = {"SortEvents": True, "Polarity": "positive", "Gain": 2.5}
    apply(target, values, channels=[(2, 0), (3, 0)])
    assert target.read_module("MODULE_CSRB", 2) == 0x1402
    assert target.read_module("MODULE_CSRB", 3) == 0x1800
    assert target.read_channel("CHANNEL_CSRA", 2, 0) == 0x4084 | 1 << 5
    assert target.read_channel("CHANNEL_CSRA", 3, 0) == 0x4104 | 1 << 5


def test_a_register_and_its_bits_are_one_write():
    target = Recorder(crate_of(2))
    values = {"GoodChannel": False, "CHANNEL_CSRA": 0x24, "CaptureTrace": True}
    changes = apply(target, values, channels=[(2, 0)])
    assert target.written == [("CHANNEL_CSRA", 2, 0)]
    assert target.read_channel("CHANNEL_CSRA", 2, 0) == 0x120
    assert [change.got for change in changes] == [False, 0x120, True]


def test_lists_of_channels_are_one_value_or_one_for_each():
    target = access_of(2)
    pairs = every_channel([2], [0, 1])
    values = {"MultiplicitySelf": [0, 1], "MultiplicityRight": [[2], [3, 4]]}
    apply(target, values, channels=pairs)
    low = [target.read_channel("MultiplicityMaskL", 2, c) for c in (0, 1)]
    high = [target.read_channel("MultiplicityMaskH", 2, c) for c in (0, 1)]
    assert (low, high) == ([3, 3], [4, 24])


def test_presets_are_in_seconds():
    target = access_of(2, 3)
    change = apply(target, {"HOST_RT_PRESET": 60}, modules=[2])[0]
    assert (change.got, change.unit) == (60.0, "s")
    assert target.read_module("HOST_RT_PRESET", 3) == 0x42700000
    assert "every module of the crate" in change.note


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"TRIGER_RISETIME": 1}, "did you mean TRIGGER_RISETIME?"),
        ({"polarity": "positive"}, "did you mean Polarity?"),
        ({"Qwertz": 1}, "there is no parameter 'Qwertz'"),
        ({"CHANNEL_CSRB": 1}, "CHANNEL_CSRB cannot be written: disabled"),
        ({"SlotID": 3}, "SlotID cannot be written: read; written by the library"),
        ({"MODULE_NUMBER": 3}, "MODULE_NUMBER cannot be written: read only"),
        ({"VOFFSET": -1.6}, "VOFFSET is -1.6: expected -1.5 to 1.5 V"),
        ({"VOFFSET": 1.51}, "VOFFSET is 1.51: expected -1.5 to 1.5 V"),
        ({"TAU": math.nan}, "TAU is nan: expected"),
        ({"TAU": -1}, "TAU is -1: expected 0"),
        ({"TRACE_LENGTH": -0.1}, "TRACE_LENGTH is -0.1: expected 0 or more µs"),
        ({"TRACE_LENGTH": math.inf}, "TRACE_LENGTH is inf: expected"),
        ({"TRACE_LENGTH": "1"}, "TRACE_LENGTH is '1': expected"),
        ({"TRACE_LENGTH": True}, "TRACE_LENGTH is True: expected"),
        ({"TRACE_LENGTH": None}, "TRACE_LENGTH is None: expected"),
        ({"CFDThresh": 0}, "CFDThresh is 0: expected 1 to 65535"),
        ({"CFDThresh": 1.5}, "CFDThresh is 1.5: expected a whole number"),
        ({"BINFACTOR": 7}, "BINFACTOR is 7: expected 1 to 6"),
        ({"CHANNEL_CSRA": 2**32}, "expected 0 to 4294967295"),
        ({"SLOW_FILTER_RANGE": 0}, "SLOW_FILTER_RANGE is 0: expected 1 to 6"),
        ({"CFDScale": [1, 2]}, "CFDScale has 2 values for 4 places"),
        ({"SYNCH_WAIT": [0, 1]}, "sets it in the whole crate; give one value"),
        ({"Polarity": "up"}, "Polarity is 'up': expected 'positive' or 'negative'"),
    ],
)
def test_nothing_is_written_if_anything_is_wrong(values, text):
    target = Recorder(crate_of(2, 3))
    with pytest.raises(SettingsError) as error:
        apply(target, {"CFDDelay": 0.1, **values}, channels=BOTH)
    assert str(error.value).startswith("nothing was written:\n  ")
    assert text in str(error.value)
    assert target.written == []


@pytest.mark.parametrize(
    ("values", "channels", "modules", "text"),
    [
        ({"TAU": 1}, [], [2], "TAU is of a channel: say of which (channels=...)"),
        ({"SYNCH_WAIT": 1}, [], None, "SYNCH_WAIT is of a module: say of which"),
        ({"TAU": 1}, [2], None, "channels has 2: expected (module, channel)"),
        ({"TAU": 1}, [(2, 0), (2, 0)], None, "channels has (2, 0) twice"),
    ],
)
def test_wrong_places_are_told(values, channels, modules, text):
    with pytest.raises(SettingsError) as error:
        apply(access_of(2), values, channels=channels, modules=modules)
    assert text in str(error.value)


def test_all_that_is_wrong_is_told_at_once():
    values = {"TAU": -1, "TAUU": 1, "VOFFSET": 9}
    with pytest.raises(SettingsError) as error:
        apply(access_of(2), values, channels=[(2, 0)])
    assert len(str(error.value).splitlines()) == 1 + len(values)


def test_what_the_library_makes_of_values_is_told():
    target = access_of(2)
    values = {"TRIGGER_RISETIME": 0.1, "CFDDelay": 1.0, "TRIGGER_FLATTOP": 0.08}
    changes = apply(target, values, channels=every_channel([2], [0, 1, 3]))
    assert str(changes).splitlines() == [
        "module  channels  name              asked  got    unit",
        "2       0-1, 3    TRIGGER_RISETIME  0.1    0.104  µs    rounded",
        "2       0-1, 3    CFDDelay          1      0.504  µs    clipped",
        "2       0-1, 3    TRIGGER_FLATTOP   0.08   0.08   µs",
        (
            "note: the threshold in ADC units depends on TRIGGER_RISETIME and has "
            "changed with it: set TRIGGER_THRESHOLD, too."
        ),
    ]
    assert str(apply(target, {})) == "nothing was asked for"


def test_what_is_refused_is_told_and_the_rest_is_written():
    target = access_of(2, 3)
    for slot in (2, 3):
        target.write_module("MODULE_CSRB", 0, slot)
    values = {"ChassisMaster": [True, True], "CFDScale": 3}
    with pytest.raises(ChangesRefusedError) as refused:
        apply(target, values, channels=[(2, 0), (3, 0)])
    changes = refused.value.changes
    outcomes = [change.outcome for change in changes]
    assert outcomes.count(Outcome.REFUSED) == 1
    assert changes.select(Outcome.REFUSED)[0].module == 3
    assert "the run leader" in str(refused.value)
    assert target.read_channel("CFDScale", 3, 0) == 3


def test_a_role_is_given_up_before_it_is_taken():
    target = access_of(2, 3)
    for slots in ([2, 3], [3, 2], [2, 3]):
        for slot in slots:
            target.write_module("MODULE_CSRB", 0, slot)
        target.write_module("MODULE_CSRB", 1 << 6, slots[1])
        values = {"ChassisMaster": [True, False]}
        apply(target, values, modules=slots)
        assert target.read_module("MODULE_CSRB", slots[0]) == 1 << 6


class Forgetful(SettingsAccess):
    """Settings that do not keep the bit of the gain."""

    def write_channel(self, name, value, module, channel):
        word = int(value) & ~(1 << 14) if name == "CHANNEL_CSRA" else value
        super().write_channel(name, word, module, channel)


def test_a_bit_that_is_not_kept_is_told():
    values = {"Gain": 2.5, "CaptureTrace": True}
    with pytest.raises(ChangesRefusedError, match="it reads otherwise") as refused:
        apply(Forgetful(crate_of(2)), values, channels=[(2, 0)])
    outcomes = {c.name: c.outcome for c in refused.value.changes}
    assert outcomes == {"Gain": Outcome.REFUSED, "CaptureTrace": Outcome.AS_ASKED}


class Running(SettingsAccess):
    """Settings that cannot be read or written, as modules in a run."""

    def read_channel(self, name, module, channel):
        raise ParameterRefusedError(ReturnCode.NOT_SUPPORTED, "a run is active")

    def write_channel(self, name, value, module, channel):
        self.read_channel(name, module, channel)


def test_a_run_is_told_for_each_value():
    values = {"ENERGY_RISETIME": 1, "ENERGY_FLATTOP": 1}
    with pytest.raises(ChangesRefusedError, match="2 of 2 values were refused") as told:
        apply(Running(crate_of(2)), values, channels=[(2, 0)])
    assert {change.got for change in told.value.changes} == {None}


def test_a_module_that_is_not_there_is_told():
    with pytest.raises(ParameterRefusedError, match="no module in slot 9; slots"):
        apply(access_of(2), {"Polarity": "positive"}, channels=[(9, 0)])
    with pytest.raises(ChangesRefusedError, match="no module in slot 9; slots"):
        apply(access_of(2), {"TAU": 1}, channels=[(9, 0)])


ORDERED = {
    "BLCUT": 5,
    "TRACE_DELAY": 1.0,
    "TRACE_LENGTH": 2.0,
    "TRIGGER_THRESHOLD": 100.0,
    "TRIGGER_FLATTOP": 0.8,
    "TRIGGER_RISETIME": 0.2,
    "ENERGY_FLATTOP": 0.4,
    "ENERGY_RISETIME": 1.2,
    "SLOW_FILTER_RANGE": 2,
    "TAU": 40,
}


def test_the_order_of_the_values_does_not_matter():
    results = []
    for names in itertools.islice(itertools.permutations(ORDERED), 0, 10**6, 50021):
        crate = crate_of(2)
        values = {name: ORDERED[name] for name in names}
        changes = apply(SettingsAccess(crate), values, channels=[(2, 0)])
        assert not changes.select(Outcome.CLIPPED)
        results.append(crate)
    assert len(results) > 10
    assert all(crate == results[0] for crate in results)


@given(
    steps=st.tuples(
        *(st.tuples(st.integers(2, 124), st.integers(3, 125)) for _ in range(2))
    ).filter(lambda pairs: all(sum(pair) <= 127 for pair in pairs)),
    filter_name=st.sampled_from(["TRIGGER", "ENERGY"]),
)
def test_filters_are_not_clipped_by_what_they_were(steps, filter_name):
    """Whatever is allowed is reached, from whatever was there before."""
    target = access_of(2)
    step = 0.008 if filter_name == "TRIGGER" else 0.064  # 125 MHz, range 3
    for rise, flat in steps:
        values = {
            f"{filter_name}_RISETIME": rise * step,
            f"{filter_name}_FLATTOP": flat * step,
        }
        changes = apply(target, values, channels=[(2, 0)])
        assert [change.outcome for change in changes] == [Outcome.AS_ASKED] * 2


@given(
    kind=kinds,
    ticks=st.integers(0, 500),
    name=st.sampled_from(["TRACE_DELAY", "TRIGGER_THRESHOLD"]),
)
def test_values_of_a_register_are_reached(kind, ticks, name):
    """The library cuts decimals: 0.29 µs would become 28 clocks of 10 ns."""
    target = access_of(2, kind=kind)
    apply(target, {"TRACE_LENGTH": 8.0}, channels=[(2, 0)])
    rise_samples = 20 * kind.samples_per_tick
    value = ticks / kind.fpga_mhz if name == "TRACE_DELAY" else ticks / rise_samples
    change = apply(target, {name: value}, channels=[(2, 0)])[0]
    assert change.outcome is Outcome.AS_ASKED


def test_the_library_alone_would_cut_them():
    target = access_of(2, kind=ModuleKind(500, 14, "F"))
    target.write_channel("TRACE_DELAY", 0.29, 2, 0)
    assert target.read_channel("TRACE_DELAY", 2, 0) == 0.28
    apply(target, {"TRACE_DELAY": 0.29}, channels=[(2, 0)])
    assert target.read_channel("TRACE_DELAY", 2, 0) == 0.29


@given(kind=kinds, values=values_of_channels(), slow_range=st.integers(1, 6))
def test_writing_what_was_read_changes_nothing(kind, values, slow_range):
    crate = crate_of(2, kind=kind)
    target = SettingsAccess(crate)
    places = [(2, 1)]
    apply(target, {"SLOW_FILTER_RANGE": slow_range, **values}, channels=places)
    # The defaults are not all within limits, and PeakSample follows SLOW_FILTER_RANGE
    # only when the energy filter is written.
    settle(crate, 1)
    before = crate.copy()
    read = {name: target.read_channel(name, 2, 1) for name in WRITABLE}
    changes = apply(target, read, channels=places)
    assert crate == before
    assert {change.outcome for change in changes} == {Outcome.AS_ASKED}


def test_arrays_are_one_value_for_each():
    target = access_of(2, kind=KINDS[4])
    offsets = np.linspace(-1.5, 1.5, 16)
    apply(target, {"VOFFSET": offsets}, channels=every_channel([2]))
    got = [target.read_channel("VOFFSET", 2, channel) for channel in range(16)]
    assert np.allclose(got, offsets, atol=3 / 65536)
    apply(target, {"VOFFSET": np.array(0.5)}, channels=[(2, 0)])
    assert target.read_channel("VOFFSET", 2, 0) == pytest.approx(0.5, abs=1e-4)
