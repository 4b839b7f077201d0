"""Every value of settings is listed, once, where it belongs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings

from pixie_pipe.settings import (
    CHANNEL_PARAMETERS,
    CHANNEL_VARIABLES,
    FIELDS,
    MODULE_PARAMETERS,
    MODULE_VARIABLES,
    Access,
    CrateSettings,
    ModuleKind,
    ModuleSettings,
    SettingsAccess,
    SettingsError,
    list_values,
    unnamed_bits,
    word_to_float,
)
from pixie_pipe.settings.bits import REGISTERS, unnamed_text
from tests.support.module_settings import crate_of, random_modules


def same(one: object, two: object) -> bool:
    return one == two or repr(one) == repr(two) == "nan"


def expected_values(module: ModuleSettings) -> dict[tuple[str, int | None], object]:
    """Return values by name and channel; bits as words in which only they are set."""
    access = SettingsAccess(CrateSettings([module]))
    expected: dict[tuple[str, int | None], object] = {}
    every = [
        *((name, None) for name in MODULE_PARAMETERS),
        *((n, c) for c in range(module.kind.channels) for n in CHANNEL_PARAMETERS),
    ]
    for name, channel in every:
        parameter = (MODULE_PARAMETERS if channel is None else CHANNEL_PARAMETERS)[name]
        if parameter.access is Access.DISABLED:
            continue
        if channel is None:
            value: float = access.read_module(name, 2)
        else:
            value = access.read_channel(name, 2, channel)
        if name == "HOST_RT_PRESET":
            value = word_to_float(int(value))
        if name not in REGISTERS:
            expected[name, channel] = value
            continue
        for field in (f for f in FIELDS.values() if f.register == name):
            expected[field.name, channel] = int(value) & field.mask
        if unnamed_bits(name, int(value)):
            rest = f"{name} {unnamed_text(name)}"
            expected[rest, channel] = unnamed_bits(name, int(value))
    return expected


@hypothesis_settings(max_examples=15)
@given(module=random_modules())
def test_every_parameter_is_listed_as_it_is_read(module):
    listing = list_values(CrateSettings([module]))
    expected = expected_values(module)
    assert len(listing) == len(expected)
    for item in listing:
        value = item.value
        if item.name in FIELDS:
            value = FIELDS[item.name].put(0, value)
        assert same(value, expected.pop((item.name, item.channel)))
        assert (
            item.unit
            == {**MODULE_PARAMETERS, **CHANNEL_PARAMETERS}[item.parameter].unit
        )
    assert not expected


@given(module=random_modules())
def test_raw_every_word_is_listed(module):
    listing = list_values(CrateSettings([module]), raw=True)
    words = {(v.name, v.channel, v.index): v.word for v in listing}
    expected: dict[tuple[str, int | None, int | None], int] = {
        (name, None, index if width > 1 else None): int(module.module[name][index])
        for name, width in MODULE_VARIABLES.items()
        for index in range(width)
    }
    expected |= {
        (name, channel, None): int(word)
        for name in CHANNEL_VARIABLES
        for channel, word in enumerate(module.channel[name])
    }
    assert words == expected
    assert len(listing) == len(expected)
    assert all(v.value == v.word and v.unit == "raw" for v in listing)


@hypothesis_settings(max_examples=15)  # thousands of values in each
@given(module=random_modules())
def test_lines_tell_the_same_as_values(module):
    for raw in (False, True):
        listing = list_values(CrateSettings([module]), raw=raw)
        told: set[tuple[str, str, int | None]] = set()
        for line in listing.lines():
            name, _, indices = line.name.rstrip("]").partition("[")
            numbers = expand(line.channels) or expand(indices)
            told |= {(name, line.value, number) for number in numbers}
            if not numbers:
                told.add((name, line.value, None))
        expected = {
            (v.name, v.text, v.index if raw and v.channel is None else v.channel)
            for v in listing
        }
        assert told == expected


def expand(text: str) -> list[int]:
    """Return the numbers of ``0-3, 7``."""
    numbers: list[int] = []
    for part in text.split(", ") if text else []:
        low, _, high = part.partition("-")
        numbers += range(int(low), int(high or low) + 1)
    return numbers


def test_channels_with_one_value_share_a_line():
    crate = crate_of(2)
    for channel in (0, 2, 3, 9):
        SettingsAccess(crate).write_channel("TAU", 40, 2, channel)
    listing = list_values(crate, names=["TAU"])
    assert str(listing).splitlines() == [
        "crate  slot  name  value  unit  channels",
        "0      2     TAU   40     µs    0, 2-3, 9",
        "0      2     TAU   50     µs    1, 4-8, 10-15",
    ]
    assert repr(listing) == str(listing)
    assert listing[0].value == 40
    assert [v.channel for v in listing[1:3]] == [1, 2]
    assert listing.table()[0]["variable"] == "PreampTau"


def test_registers_are_in_hexadecimal_and_words_share_a_line():
    crate = crate_of(2)
    crate[2].module["TrigConfig"][1] = 0x1000000
    crate[2].channel["ChanCSRa"][5] |= 1 << 31
    crate[2].module["UserIn"][7] = 3
    lines = list_values(crate, names=["TrigConfig?", "CHANNEL_CSRA"]).lines()
    texts = {line.name: line.value for line in lines}
    assert texts["TrigConfig0"] == "0x0"
    assert texts["TrigConfig1"] == "0x1000000"
    assert texts["CHANNEL_CSRA bits 22-31"] == "0x80000000"
    raw = list_values(crate, names=["UserIn"], raw=True).lines()
    assert [(line.name, line.value) for line in raw] == [
        ("UserIn[0-6, 8-15]", "0"),
        ("UserIn[7]", "3"),
    ]


def names_listed(**options: Any) -> list[str]:
    listing = list_values(crate_of(2), **options)
    return list(dict.fromkeys(value.name for value in listing))


def test_names_are_chosen():
    trigger = ["TRIGGER_RISETIME", "TRIGGER_FLATTOP", "TRIGGER_THRESHOLD"]
    assert names_listed(names=["trigger_*"]) == trigger
    assert names_listed(names=["polarity", "TAU"]) == ["TAU", "Polarity"]
    assert names_listed(names=["MultiplicityMaskL"]) == [
        "MultiplicitySelf",
        "MultiplicityLeft",
    ]
    assert names_listed(names=["Polarity", "TAU", "GainDAC"], raw=True) == [
        "ChanCSRa",
        "GainDAC",
        "PreampTau",
    ]


def test_modules_and_channels_are_chosen():
    crate = crate_of(2, 3)
    listing = list_values(crate, modules=[3, (0, 3)], channels=[4, 1, 4])
    assert {v.slot for v in listing} == {3}
    assert {v.channel for v in listing} == {None, 1, 4}
    assert listing[0].channel is None
    few = ModuleSettings(slot=2, kind=ModuleKind(250, 14, "H", 16))
    many = ModuleSettings(slot=3, kind=ModuleKind(250, 14, "H", 32))
    both = list_values(CrateSettings([few, many]), channels=[1, 20], names=["TAU"])
    assert [(v.slot, v.channel) for v in both] == [(2, 1), (3, 1), (3, 20)]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"modules": [5]}, "no module in slot 5; (crate, slot) of those here: (0, 2)"),
        ({"channels": [3, 16]}, "no channel 16: the modules have the channels 0 to 15"),
        ({"channels": [-1]}, "no channel -1"),
        (
            {"names": ["TAU", "TRIGER_RISETIME"]},
            "'TRIGER_RISETIME'; did you mean TRIGGER_RISETIME?",
        ),
        ({"names": ["xyz*"]}, "there is no parameter or named bits 'xyz*'"),
        ({"names": ["FastLength"]}, "FastLength is no parameter in use, but a raw"),
        ({"names": ["MODULE_CSRA"]}, "it is listed with --raw (raw=True)"),
        ({"names": ["GainDAK"], "raw": True}, "did you mean GainDAC?"),
    ],
)
def test_what_is_not_there_is_told(options, text):
    with pytest.raises(SettingsError) as error:
        list_values(crate_of(2), **options)
    assert text in str(error.value)


def test_no_modules_are_nothing():
    assert str(list_values(CrateSettings(), channels=[3])) == "nothing"
