"""XIA's parameters: what the library makes of a value, to the last bit."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.settings import (
    CHANNEL_PARAMETERS,
    MODULE_PARAMETERS,
    MODULE_VARIABLES,
    Access,
    CrateSettings,
    ModuleKind,
    ModuleSettings,
    ParameterAccess,
    ParameterRefusedError,
    SettingsAccess,
    float_to_word,
)
from pixie_pipe.settings.variables import CHANNEL_VARIABLES
from tests.support.module_settings import KINDS, access_of, crate_of, settle

SIMULATED = {
    "rev F 250 MSPS 16 bit": ModuleKind(250, 16, "F"),
    "rev F 500 MSPS 14 bit": ModuleKind(500, 14, "F"),
    "rev H 250 MSPS 14 bit (DB04)": ModuleKind(250, 14, "H", 32),
}
CHANNEL = 2


def outcome(call, *arguments):
    """Return the value and the return code of a call."""
    try:
        return call(*arguments), 0
    except ParameterRefusedError as error:
        return None, int(error.code)


def test_every_answer_of_the_library_is_reproduced(parameter_steps):
    targets = {}
    for name, kind in SIMULATED.items():
        module = ModuleSettings(slot=2, kind=kind)
        module.module["FIFOLength"][:] = 4095
        targets[name] = SettingsAccess(CrateSettings([module]))
    assert len(parameter_steps) == 486
    for step in parameter_steps:
        target, name = targets[step["module"]], step["name"]
        write_code = outcome(target.write_channel, name, step["write"], 2, CHANNEL)[1]
        read, read_code = outcome(target.read_channel, name, 2, CHANNEL)
        expected = step["read"], step["write_rc"], step["read_rc"]
        assert (read, write_code, read_code) == expected, step


def test_the_tables_are_whole():
    assert len(CHANNEL_PARAMETERS) == 38
    assert len(MODULE_PARAMETERS) == 18
    assert len(CHANNEL_VARIABLES) == 48
    assert len(MODULE_VARIABLES) == 25
    for parameters, variables in (
        (CHANNEL_PARAMETERS, set(CHANNEL_VARIABLES)),
        (MODULE_PARAMETERS, set(MODULE_VARIABLES)),
    ):
        for name, parameter in parameters.items():
            assert parameter.name == name
            assert parameter.variable in variables
            assert parameter.meaning.endswith(".")


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_channel_parameter_can_be_read_and_written(kind):
    target = SettingsAccess(settle(crate_of(2, kind=kind), 0))
    for name, parameter in CHANNEL_PARAMETERS.items():
        if parameter.access is Access.READ_WRITE:
            value = target.read_channel(name, 2, 0)
            target.write_channel(name, value, 2, 0)
            assert math.isclose(target.read_channel(name, 2, 0), value), name


@pytest.mark.parametrize(
    ("name", "module", "channel", "code"),
    [
        ("TRIGGER_RISETIM", 2, 0, -301),
        ("trigger_risetime", 2, 0, -301),
        ("SYNCH_WAIT", 2, 0, -301),
        ("CHANNEL_CSRB", 2, 0, -304),
        ("TAU", 2, 16, -300),
        ("TAU", 2, -1, -300),
        ("TAU", 3, 0, -200),
    ],
)
def test_codes_of_channel_parameters(name, module, channel, code):
    target = access_of(2)
    assert outcome(target.read_channel, name, module, channel) == (None, code)
    assert outcome(target.write_channel, name, 1.0, module, channel)[1] == code


@pytest.mark.parametrize(
    ("name", "value", "read", "written"),
    [
        ("MODULE_CSRA", 1, -211, -211),
        ("MODULE_FORMAT", 1, -211, -211),
        ("MAX_EVENTS", 1, -211, -211),
        ("ModID", 1, -211, -211),
        ("MODULE_NUMBER", 1, 0, -209),
        ("CrateID", 1, 0, -212),
        ("SlotID", 1, 0, -212),
        ("SLOW_FILTER_RANGE", 0, 0, -209),
        ("SLOW_FILTER_RANGE", 7, 0, -209),
        ("SLOW_FILTER_RANGE", 6, 0, 0),
        ("TrigConfig4", 1, -209, -209),
        ("TAU", 1, -209, -209),
    ],
)
def test_codes_of_module_parameters(name, value, read, written):
    target = access_of(2)
    assert outcome(target.read_module, name, 2)[1] == read
    assert outcome(target.write_module, name, value, 2)[1] == written


def test_words_of_the_module():
    target = access_of(2, 3)
    target.write_module("FAST_FILTER_RANGE", 3, 2)
    assert target.read_module("FAST_FILTER_RANGE", 2) == 0
    for number in range(4):
        target.write_module(f"TrigConfig{number}", 10 + number, 2)
    values = [target.read_module(f"TrigConfig{n}", 2) for n in range(4)]
    assert values == [10, 11, 12, 13]
    assert target.read_module("TrigConfig0", 3) == 0


@pytest.mark.parametrize("name", ["SYNCH_WAIT", "IN_SYNCH", "HOST_RT_PRESET"])
def test_some_parameters_are_of_the_whole_crate(name):
    crate = crate_of(2, 3, 4)
    other = ModuleSettings(slot=2, crate=1, kind=KINDS[2])
    before = int(other.module[MODULE_PARAMETERS[name].variable][0])
    crate.add(other)
    target = SettingsAccess(crate)
    target.write_module(name, 7, 3)
    assert [target.read_module(name, slot) for slot in (2, 3, 4)] == [7, 7, 7]
    assert SettingsAccess(crate, crate=1).read_module(name, 2) == before


@pytest.mark.parametrize("bit", [0, 4, 6])
def test_a_role_is_for_one_module_only(bit):
    target = access_of(2, 3)
    for slot in (2, 3):
        target.write_module("MODULE_CSRB", 0, slot)
    target.write_module("MODULE_CSRB", 1 << bit, 2)
    target.write_module("MODULE_CSRB", 1 << bit, 2)
    with pytest.raises(ParameterRefusedError, match="slot 2 is the") as refused:
        target.write_module("MODULE_CSRB", 1 << bit, 3)
    assert refused.value.code == -209
    assert target.read_module("MODULE_CSRB", 3) == 0
    target.write_module("MODULE_CSRB", 0, 2)
    target.write_module("MODULE_CSRB", 1 << bit, 3)


def test_the_energy_filter_sets_what_depends_on_it():
    crate = crate_of(2)
    target, channel = SettingsAccess(crate), crate[2].channel
    target.write_channel("TRACE_DELAY", 1.0, 2, 0)
    target.write_channel("ENERGY_RISETIME", 2.048, 2, 0)
    target.write_channel("ENERGY_FLATTOP", 0.64, 2, 0)
    # 125 MHz, steps of 8 clocks: 32 and 10 steps; the energy is read 2 steps before.
    assert int(channel["PeakSep"][0]) == 42
    assert int(channel["PeakSample"][0]) == 40
    assert int(channel["TriggerDelay"][0]) == 41 * 8
    assert int(channel["PAFlength"][0]) == 41 * 8 + 125
    assert target.read_channel("TRACE_DELAY", 2, 0) == 1.0
    target.write_module("SLOW_FILTER_RANGE", 1, 2)
    assert int(channel["TriggerDelay"][0]) == 41 * 2
    assert target.read_channel("TRACE_DELAY", 2, 0) == 1.0


def test_a_trace_that_does_not_fit_the_fifo_starts_later():
    crate = crate_of(2)
    target, module = SettingsAccess(crate), crate[2]
    module.module["FIFOLength"][:] = 400
    target.write_channel("TRACE_LENGTH", 1.6, 2, 0)
    target.write_channel("TRACE_DELAY", 0.8, 2, 0)
    assert int(module.channel["PAFlength"][0]) == 399
    assert int(module.channel["TriggerDelay"][0]) == 299
    assert target.read_channel("TRACE_DELAY", 2, 0) == 0.8


@pytest.mark.parametrize(("revision", "expected"), [("C", 2.55), ("F", 5.11)])
def test_delays_are_longer_in_new_modules(revision, expected):
    target = access_of(2, kind=ModuleKind(100, 14, revision))
    target.write_channel("FtrigoutDelay", 100, 2, 0)
    assert target.read_channel("FtrigoutDelay", 2, 0) == expected


def test_an_unknown_revision_has_no_delays():
    target = access_of(2, kind=ModuleKind(100, 14, "A"))
    assert outcome(target.write_channel, "ExternDelayLen", 1, 2, 0)[1] == -803


def test_a_threshold_without_a_filter_is_no_number():
    crate = crate_of(2)
    crate[2].channel["FastLength"][:] = 0
    target = SettingsAccess(crate)
    assert target.read_channel("TRIGGER_THRESHOLD", 2, 0) == math.inf
    crate[2].channel["FastThresh"][:] = 0
    assert math.isnan(target.read_channel("TRIGGER_THRESHOLD", 2, 0))


def test_boards_of_a_module_can_have_other_clocks():
    module = ModuleSettings(
        slot=2,
        kind=ModuleKind(250, 14, "H", 32),
        boards={5: ModuleKind(100, 14, "H", 32)},
    )
    target = SettingsAccess(CrateSettings([module]))
    assert target.read_channel("TRIGGER_RISETIME", 2, 4) == 20 / 125
    assert target.read_channel("TRIGGER_RISETIME", 2, 5) == 20 / 100


@given(
    kind=st.sampled_from(KINDS),
    name=st.sampled_from(sorted(CHANNEL_PARAMETERS)),
    value=st.floats() | st.integers(-(2**70), 2**70).map(float),
)
def test_any_number_can_be_written(kind, name, value):
    """As in the library: the registers stay words, whatever is written."""
    target = access_of(2, kind=kind)
    before = outcome(target.read_channel, name, 2, 1)[0]
    code = outcome(target.write_channel, name, value, 2, 1)[1]
    assert code in (0, -301, -304)
    if code:
        assert outcome(target.read_channel, name, 2, 1)[0] == before


@pytest.mark.parametrize("value", [0.0, 10.0, 0.3, 1e-40])
def test_floats_are_kept_as_their_bits(value):
    target = access_of(2)
    target.write_channel("TAU", value, 2, 0)
    assert target.read_channel("TAU", 2, 0) == pytest.approx(value, rel=1e-6)
    with pytest.raises(OverflowError):
        float_to_word(1e39)


def test_settings_are_a_parameter_access():
    assert isinstance(access_of(2), ParameterAccess)
