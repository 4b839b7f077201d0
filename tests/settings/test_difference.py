"""What differs between two settings: all of it, and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.settings import (
    CHANNEL_VARIABLES,
    MODULE_VARIABLES,
    CrateSettings,
    ModuleKind,
    ModuleSettings,
    SettingsAccess,
    apply,
    compare,
)
from tests.support.module_settings import crate_of, random_modules, words


@given(module=random_modules())
def test_equal_settings_have_no_difference(module):
    crate = CrateSettings([module])
    differences = compare(crate, crate.copy())
    assert list(differences) == []
    assert str(differences) == "no difference"


@given(module=random_modules(), word=words, data=st.data())
def test_every_single_change_is_found(module, word, data):
    crate = CrateSettings([module])
    other = crate.copy()
    name = data.draw(st.sampled_from([*MODULE_VARIABLES, *CHANNEL_VARIABLES]))
    of_channel = name in CHANNEL_VARIABLES
    values = (other[2].channel if of_channel else other[2].module)[name]
    index = data.draw(st.integers(0, values.size - 1))
    if name in ("SlowFilterRange", "FastFilterRange"):
        word = 1 + word % 6
    if int(values[index]) == word:
        word ^= 1
    values[index] = word
    differences = compare(crate, other)
    assert len(differences) >= 1
    if of_channel:
        assert {difference.channel for difference in differences} == {index}
    swapped = compare(other, crate)
    assert [(d.name, d.channel) for d in swapped] == [
        (d.name, d.channel) for d in differences
    ]


def test_differences_are_in_physical_units():
    crate, other = crate_of(2, 3), crate_of(2, 3)
    values = {"TAU": 40, "Polarity": "positive", "MultiplicitySelf": [1, 2, 3]}
    apply(SettingsAccess(other), values, channels=[(3, c) for c in (0, 1, 5)])
    apply(SettingsAccess(other), {"HOST_RT_PRESET": 60}, modules=[2])
    other[3].module["UserIn"][4] = 7
    other[3].channel["GainDAC"][2] = 9
    other[3].channel["ChanCSRa"][9] |= 1 << 30
    lines = str(compare(crate, other)).splitlines()
    assert [tuple(line.split()) for line in lines] == [
        ("crate", "slot", "channels", "name", "first", "second", "unit", "raw"),
        ("0", "2", "HOST_RT_PRESET", "10", "60", "s", "1092616192", "1114636288"),
        ("0", "3", "HOST_RT_PRESET", "10", "60", "s", "1092616192", "1114636288"),
        ("0", "3", "UserIn[4]", "0", "7", "raw"),
        ("0", "3", "0-1,", "5", "TAU", "50", "40", "µs", "1112014848", "1109393408"),
        ("0", "3", "0-1,", "5", "Polarity", "negative", "positive"),
        ("0", "3", "9", "CHANNEL_CSRA", "bits", "22-31", "0x0", "0x40000000", "raw"),
        ("0", "3", "0-1,", "5", "MultiplicitySelf", "[]", "[1-3]"),
        ("0", "3", "2", "GainDAC", "0", "9", "raw"),
    ]


def test_channels_that_differ_alike_share_a_line():
    crate, other = crate_of(2), crate_of(2)
    other[2].channel["EnergyLow"][::2] = 5
    other[2].channel["EnergyLow"][1::2] = 7
    lines = compare(crate, other).lines()
    assert [(line.channels, line.first, line.second) for line in lines] == [
        ("0, 2, 4, 6, 8, 10, 12, 14", "0", "5"),
        ("1, 3, 5, 7, 9, 11, 13, 15", "0", "7"),
    ]


def test_a_filter_range_changes_the_times_of_the_filter():
    crate, other = crate_of(2), crate_of(2)
    SettingsAccess(other).write_module("SLOW_FILTER_RANGE", 4, 2)
    differences = compare(crate, other)
    names = {difference.name for difference in differences}
    assert {"SLOW_FILTER_RANGE", "ENERGY_RISETIME", "ENERGY_FLATTOP"} <= names
    rise = next(d for d in differences if d.name == "ENERGY_RISETIME")
    assert (rise.first, rise.second, rise.unit, rise.raw) == (1.6, 3.2, "µs", None)
    # The trace starts where it did, but the registers of it are others.
    assert {"PAFlength", "TriggerDelay"} <= names
    assert "TRACE_DELAY" not in names


def test_a_register_differs_even_if_its_parameter_does_not():
    crate, other = crate_of(2), crate_of(2)
    for name in ("FastThresh", "FastLength"):
        other[2].channel[name][0] *= 2
    threshold = next(d for d in compare(crate, other) if d.name == "TRIGGER_THRESHOLD")
    assert threshold.first == threshold.second == 25.0
    assert threshold.raw == (1000, 2000)


def test_modules_and_what_they_are():
    kind = ModuleKind(250, 14, "F")
    first = CrateSettings(
        [
            ModuleSettings(slot=2, kind=kind, serial=7, metadata={"dsp": {"x": 1}}),
            ModuleSettings(slot=3, kind=kind),
        ]
    )
    second = CrateSettings(
        [
            ModuleSettings(slot=2, kind=kind, serial=8, metadata={"dsp": {"x": 2}}),
            ModuleSettings(slot=3, kind=kind, crate=1),
        ]
    )
    rows = [
        (row["crate"], row["name"], row["first"], row["second"])
        for row in compare(first, second).table()
    ]
    assert rows == [
        (0, "serial number", 7, 8),
        (0, "metadata.dsp.x", 1, 2),
        (0, "module", "Rev F, 250 MSPS, 14 bits, 16 channels", None),
        (1, "module", None, "Rev F, 250 MSPS, 14 bits, 16 channels"),
    ]


def test_more_channels_are_a_difference():
    first = crate_of(2, kind=ModuleKind(250, 14, "H", 16))
    second = crate_of(2, kind=ModuleKind(250, 14, "H", 32))
    assert [difference.name for difference in compare(first, second)] == ["kind"]
