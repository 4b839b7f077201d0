"""Kinds of modules, where they are found, and copying between channels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.settings import (
    CHANNEL_VARIABLES,
    COPY_GROUPS,
    CrateSettings,
    FoundModule,
    ModuleKind,
    ModuleSettings,
    SettingsError,
    copy_channel,
    copy_mask,
)
from tests.support.module_settings import KINDS, crate_of, random_modules


def test_clocks_of_the_kinds():
    clocks = [(kind.fpga_mhz, kind.samples_per_tick) for kind in KINDS]
    assert clocks == [
        (100, 1),
        (100, 1),
        (125, 2),
        (125, 2),
        (100, 5),
        (125, 2),
        (125, 4),
    ]
    assert KINDS[3].tag == "15-250-16"
    assert ModuleKind(250, 14, "H", 32).tag == "17-250-14"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((200, 14, "F"), "frequency_msps is 200: expected 100, 125, 250 or 500"),
        ((250, 13, "F"), "adc_bits is 13"),
        ((250, 14, "FH"), "revision is 'FH'"),
        ((250, 14, "Z"), "revision is 'Z'"),
        ((250, 14, "F", 0), "channels is 0"),
        ((250, 14, "F", 16, 80), "fpga_mhz is 80"),
    ],
)
def test_there_are_no_other_kinds(values, text):
    with pytest.raises(SettingsError, match=text):
        ModuleKind(*values)


@pytest.mark.parametrize(
    ("where", "values", "text"),
    [
        ("module", {"Nothing": np.zeros(1, int)}, "no variable 'Nothing'"),
        ("module", {"HostIO": np.zeros(4, int)}, r"shape \(4,\), expected \(16,\)"),
        ("channel", {"BLcut": np.zeros(32, int)}, r"shape \(32,\), expected \(16,\)"),
        ("channel", {"BLcut": np.full(16, -1)}, "whole numbers from 0 to 4294967295"),
        ("channel", {"BLcut": np.zeros(16)}, "expected whole numbers"),
    ],
)
def test_wrong_variables_are_told(where, values, text):
    with pytest.raises(SettingsError, match=text):
        ModuleSettings(slot=2, kind=KINDS[2], **{where: values})


def test_modules_are_found_by_their_place():
    crate = crate_of(5, 2)
    crate.add(ModuleSettings(slot=2, crate=1, kind=KINDS[2]))
    assert crate[5].serial == 1005
    assert crate[1, 2].crate == 1
    assert crate.places == [(0, 5), (0, 2), (1, 2)]
    assert 5 in crate
    assert (1, 5) not in crate
    with pytest.raises(SettingsError, match="slot 2 is in more than one crate"):
        crate[2]
    with pytest.raises(SettingsError, match=r"slot 3; .*\(0, 5\), \(0, 2\), \(1, 2\)"):
        crate[3]
    with pytest.raises(SettingsError, match="two modules in this place"):
        crate.add(ModuleSettings(slot=5, kind=KINDS[2]))


def test_settings_are_matched_by_slot_and_serial_number():
    crate = crate_of(2, 3)
    matched = crate.match([FoundModule(3, 1003), FoundModule(2, 1002)])
    assert [module.slot for module in matched] == [3, 2]
    assert crate.match([FoundModule(3)]) == [crate[3]]


def test_modules_that_were_exchanged_are_told():
    crate = crate_of(2, 3)
    found = [FoundModule(2, 1003), FoundModule(3, 77), FoundModule(4, 1002)]
    with pytest.raises(SettingsError) as error:
        crate.match(found)
    assert str(error.value).splitlines()[1:] == [
        (
            "  crate 0, slot 2: the settings are of serial number 1002, the module has "
            "1003; settings of this serial number are at crate 0, slot 3"
        ),
        (
            "  crate 0, slot 3: the settings are of serial number 1003, the module has "
            "77; if it has replaced that one, let serial numbers be ignored"
        ),
        (
            "  crate 0, slot 4: no settings for the module there (serial number 1002); "
            "settings of this serial number are at crate 0, slot 2"
        ),
    ]
    replaced = crate.match([FoundModule(3, 77)], check_serials=False)
    assert replaced == [crate[3]]


@given(module=random_modules())
def test_a_copy_is_equal_and_shares_nothing(module):
    crate = CrateSettings([module])
    other = crate.copy()
    assert other == crate
    other[2].channel["Xavg"][3] ^= 1
    assert other != crate
    assert crate[2] == module


def test_copy_masks():
    assert copy_mask(["filters"]) == 1
    assert copy_mask(COPY_GROUPS) == 0b1_1111_1011_1111
    with pytest.raises(SettingsError, match="no group 'energy' of settings; there are"):
        copy_mask(["energy"])


@given(module=random_modules(), groups=st.sets(st.sampled_from(COPY_GROUPS)))
def test_a_group_is_copied_and_nothing_else(module, groups):
    before = module.copy()
    copy_channel(CrateSettings([module]), (2, 1), [(2, 4), (2, 9)], groups)
    copied = {
        "tau": ["PreampTau"],
        "cfd": ["CFDDelay", "CFDScale", "CFDThresh"],
        "trace": ["TraceLength", "TriggerDelay", "PAFlength"],
        "csra": ["ChanCSRa"],
    }
    for group, names in copied.items():
        for name in names:
            if group in groups:
                assert module.channel[name][4] == before.channel[name][1]
    if "analog" in groups and "csra" not in groups:
        bits = 1 << 5 | 1 << 14
        old, new = (
            int(before.channel["ChanCSRa"][9]),
            int(module.channel["ChanCSRa"][9]),
        )
        source = int(before.channel["ChanCSRa"][1])
        assert new == old & ~bits | source & bits
    untouched = [n for n in range(module.kind.channels) if n not in (4, 9)]
    for name in CHANNEL_VARIABLES:
        now, then = module.channel[name], before.channel[name]
        assert np.array_equal(now[untouched], then[untouched])
        if not groups:
            assert np.array_equal(now, then)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda crate: crate.add(ModuleSettings(4, KINDS[4])), "their clocks differ"),
        (lambda crate: crate[3].module["SlowFilterRange"].fill(5), "is 3 in crate 0"),
    ],
)
def test_words_that_would_mean_something_else_are_not_copied(change, text):
    crate = crate_of(2, 3)
    change(crate)
    before = crate.copy()
    last = crate.places[-1]
    with pytest.raises(SettingsError, match=text):
        copy_channel(crate, (2, 0), [(2, 1), (last, 0)])
    assert crate == before
    with pytest.raises(SettingsError, match="no channel 16: expected 0 to 15"):
        copy_channel(crate, (2, 16), [(2, 1)])
