"""Changes that are undone, however the block is left."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.settings import (
    ChangesRefusedError,
    OldValues,
    RestoreError,
    SettingsAccess,
    SettingsError,
    apply,
    every_channel,
    temporary,
)
from pixie_pipe.settings.wanted import check_wanted
from tests.support.module_settings import (
    access_of,
    crate_of,
    kinds,
    settle,
    values_of_channels,
)


class Stopped(Exception):
    """Something that happens in the block."""


@given(
    kind=kinds,
    values=values_of_channels(),
    slow_range=st.none() | st.integers(1, 6),
    fails=st.booleans(),
)
def test_everything_is_as_it_was(kind, values, slow_range, fails):
    crate = settle(crate_of(2, 3, kind=kind), 0, 7)
    target = SettingsAccess(crate)
    before = crate.copy()
    asked = dict(values)
    if slow_range is not None:
        asked["SLOW_FILTER_RANGE"] = slow_range
    places = every_channel([2, 3], [0, 7])
    try:
        with temporary(target, asked, channels=places):
            if fails:
                raise Stopped
    except Stopped:
        assert fails
    assert crate == before


def test_the_block_sees_the_changes():
    target = access_of(2)
    with temporary(target, {"CaptureTrace": True}, channels=[(2, 0)]) as changes:
        assert changes[0].got is True
        assert target.read_channel("CHANNEL_CSRA", 2, 0) == 0x104
        target.write_channel("CHANNEL_CSRA", 0, 2, 0)
    assert target.read_channel("CHANNEL_CSRA", 2, 0) == 4


def test_parameters_of_the_crate_and_roles_are_set_back():
    crate = crate_of(2, 3)
    target = SettingsAccess(crate)
    target.write_module("MODULE_CSRB", 1 << 6, 2)
    target.write_module("MODULE_CSRB", 0, 3)
    before = crate.copy()
    values = {"SYNCH_WAIT": 0, "HOST_RT_PRESET": 5, "ChassisMaster": [False, True]}
    with temporary(target, values, modules=[2, 3]):
        assert target.read_module("SYNCH_WAIT", 3) == 0
        assert target.read_module("MODULE_CSRB", 3) == 1 << 6
    assert crate == before


def test_nothing_is_changed_by_what_is_wrong_or_refused():
    crate = crate_of(2, 3)
    target = SettingsAccess(crate)
    target.write_module("MODULE_CSRB", 0, 3)
    before = crate.copy()
    wrong = temporary(target, {"TAU": -1}, channels=[(2, 0)])
    with pytest.raises(SettingsError, match="TAU is -1"), wrong:
        pytest.fail("the block must not run")
    values = {"TAU": 9, "BackplanePullup": True}
    refused = temporary(target, values, channels=[(2, 0), (3, 0)])
    with pytest.raises(ChangesRefusedError, match="pull-up"), refused:
        pytest.fail("the block must not run")
    assert crate == before


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("MultiplicityMaskL", {"MultiplicitySelf": [0, 1]}),
        ("MultiplicityMaskH", {"MultiplicityRight": [1]}),
    ],
)
def test_the_lowest_bits_of_a_large_register_are_set_back(name, values):
    crate = crate_of(2)
    target = SettingsAccess(crate)
    target.write_channel(name, 0xF0000000, 2, 0)
    before = crate.copy()
    with temporary(target, values, channels=[(2, 0)]):
        assert target.read_channel(name, 2, 0) > 0xF0000000
    assert crate == before


class Finder(SettingsAccess):
    """Settings that find a new BLCUT where XIA's library looks for one."""

    def write_channel(self, name, value, module, channel):
        super().write_channel(name, value, module, channel)
        if name in ("TAU", "CHANNEL_CSRA"):
            self.find(module, channel)

    def write_module(self, name, value, module):
        super().write_module(name, value, module)
        if name == "SLOW_FILTER_RANGE":
            for channel in range(16):
                self.find(module, channel)

    def find(self, module, channel):
        found = self.read_channel("TAU", module, channel)
        found += self.read_module("SLOW_FILTER_RANGE", module) * 100
        super().write_channel("BLCUT", found, module, channel)


@pytest.mark.parametrize("own", [None, 3])
@pytest.mark.parametrize(
    "values", [{"TAU": 9}, {"Gain": 2.5}, {"SLOW_FILTER_RANGE": 5}], ids=str
)
def test_the_cut_of_baselines_is_set_back(values, own):
    crate = crate_of(2)
    target = Finder(crate)
    before = crate.copy()
    assert target.read_channel("BLCUT", 2, 1) == 3
    with temporary(target, values, channels=[(2, 1)]):
        assert target.read_channel("BLCUT", 2, 1) > 3
        if own is not None:
            target.write_channel("BLCUT", own, 2, 1)
    assert crate == before


class Stubborn(SettingsAccess):
    """Settings that can be locked, as modules are during a run."""

    locked = False

    def write_channel(self, name, value, module, channel):
        if self.locked and name == "TAU":
            raise PixiePipeError("a run is active")
        super().write_channel(name, value, module, channel)


class Broken(SettingsAccess):
    """Settings of which one channel fails with an error that is not ours."""

    def write_channel(self, name, value, module, channel):
        if (name, channel) == ("TAU", 0):
            raise OSError("no bus")
        super().write_channel(name, value, module, channel)


def test_what_could_not_be_set_back_is_told():
    target = Stubborn(crate_of(2))
    block = temporary(target, {"TAU": 9, "CFDScale": 3}, channels=[(2, 0)])

    def lock_and_stop() -> None:
        with block:
            target.locked = True
            raise Stopped

    with pytest.raises(RestoreError) as error:
        lock_and_stop()
    assert isinstance(error.value.__cause__, Stopped)
    assert error.value.lost == {("TAU", 2, 0): 50.0}
    text = "module 2, channel 0: TAU was 50, and is 9: a run is active"
    assert text in str(error.value)
    assert target.read_channel("CFDScale", 2, 0) == 0


def test_whatever_fails_the_others_are_set_back():
    crate = crate_of(2)
    target = SettingsAccess(crate)
    old = OldValues.of(
        target, check_wanted({"TAU": 9, "CFDScale": 3}, [(2, 0), (2, 1)], None)
    )
    apply(target, {"TAU": 9, "CFDScale": 3}, channels=[(2, 0), (2, 1)])
    with pytest.raises(RestoreError, match=r"c0-s02, channel 0: .* OSError: no bus"):
        old.restore(Broken(crate), {2: "c0-s02"})
    assert target.read_channel("TAU", 2, 1) == 50
    assert [target.read_channel("CFDScale", 2, n) for n in (0, 1)] == [0, 0]


def test_old_values_outlive_the_program():
    target = access_of(2)
    wanted = check_wanted({"Polarity": "positive", "SYNCH_WAIT": 0}, [(2, 3)], None)
    rows = json.loads(json.dumps(OldValues.of(target, wanted).to_rows()))
    apply(target, {"Polarity": "positive", "SYNCH_WAIT": 0}, channels=[(2, 3)])
    old = OldValues()
    old.take_rows(rows)
    old.restore(target)
    assert target.read_channel("CHANNEL_CSRA", 2, 3) == 4
    assert target.read_module("SYNCH_WAIT", 2) == 1
