"""Parameters: refused before the library gets them wrong, and read back."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from pixie_pipe.drivers.digitizer import DriverError
from pixie_pipe.drivers.xia import PARAMETER_GROUPS, XiaError
from pixie_pipe.settings import apply


@pytest.fixture
def digitizer(make):
    with make((2, 3, 5)) as digitizer:
        yield digitizer


def test_a_value_that_was_written_is_there(digitizer):
    digitizer.write_channel("TAU", 12.5, 1, 7)
    assert digitizer.read_channel("TAU", 1, 7) == 12.5
    assert digitizer.read_channel("TAU", 0, 7) == 0
    digitizer.write_module("SLOW_FILTER_RANGE", 4, 1)
    assert digitizer.read_module("SLOW_FILTER_RANGE", 1) == 4
    assert digitizer.read_module("SLOW_FILTER_RANGE", 0) == 0


def test_what_was_rounded_is_told_and_can_be_read(digitizer, caplog):
    with caplog.at_level(logging.INFO):
        digitizer.write_channel("TRIGGER_RISETIME", 0.05, 0, 3)
        digitizer.write_channel("TAU", 0.1, 0, 3)
    assert digitizer.read_channel("TRIGGER_RISETIME", 0, 3) == pytest.approx(0.048)
    assert "channel 3: TRIGGER_RISETIME: 0.05 was written, and became 0.048" in (
        caplog.text
    )
    assert "TAU" not in caplog.text


@pytest.mark.parametrize("volts", [-1.6, -1.500001, 1.51, float("nan"), float("inf")])
def test_offsets_that_would_wrap_are_refused(digitizer, xia, volts):
    with pytest.raises(DriverError, match="slot 2 channel 1: VOFFSET: "):
        digitizer.write_channel("VOFFSET", volts, 0, 1)
    assert xia.calls("Pixie16WriteSglChanPar") == 0


def test_offsets_in_their_range_are_taken(digitizer):
    for volts in (-1.5, -0.1, 0, 1.5):
        digitizer.write_channel("VOFFSET", volts, 0, 1)
        assert digitizer.read_channel("VOFFSET", 0, 1) == pytest.approx(volts, abs=5e-5)


def test_bits_that_do_not_stay_are_told(digitizer, xia):
    digitizer.write_channel("CHANNEL_CSRA", 0b1011, 0, 0)
    xia.call.test_stick_bits(0b10)
    with pytest.raises(DriverError, match="CHANNEL_CSRA: 11 was written, but it is 9"):
        digitizer.write_channel("CHANNEL_CSRA", 0b1011, 0, 0)


@pytest.mark.parametrize("value", [-1, 2**32, 0.5])
def test_bits_are_whole_numbers_of_32_bits(digitizer, value):
    with pytest.raises(DriverError, match="is no whole number"):
        digitizer.write_channel("MultiplicityMaskL", value, 0, 0)
    # ctypes would keep the lowest 32 bits.
    with pytest.raises(DriverError, match="is no whole number"):
        digitizer.write_module("TrigConfig0", value, 0)


def test_a_refusal_tells_what_is_there_now(digitizer):
    with pytest.raises(
        XiaError, match=r"slot 2: .*CFDThresh = 70000 for channel 4.*is 65535 now$"
    ):
        digitizer.write_channel("CFDThresh", 70_000, 0, 4)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ENERGY_RISETIM", "did you mean ENERGY_RISETIME"),
        ("tau", "did you mean TAU"),
        ("QQQQ", "known: TRIGGER_RISETIME"),
    ],
)
def test_names_that_are_wrong_get_a_suggestion(digitizer, name, text):
    for call in (
        lambda: digitizer.read_channel(name, 0, 0),
        lambda: digitizer.write_channel(name, 1, 0, 0),
    ):
        with pytest.raises(XiaError, match=f"-301.*{text}|{text}.*-301"):
            call()
    with pytest.raises(XiaError, match="did you mean SYNCH_WAIT"):
        digitizer.read_module("SYNC_WAIT", 0)


@pytest.mark.parametrize("name", ["SYNCH_WAIT", "IN_SYNCH", "HOST_RT_PRESET"])
def test_what_the_library_sets_in_all_modules_is_checked_in_all(digitizer, xia, name):
    digitizer.write_module(name, 1, 1)
    assert [digitizer.read_module(name, module) for module in range(3)] == [1, 1, 1]


def test_a_module_that_did_not_hear_is_named(digitizer, xia, monkeypatch):
    library = digitizer._crate.library

    def call(function, *arguments, **options):
        code = type(library).call(library, function, *arguments, **options)
        if function == "Pixie16WriteSglModPar":
            xia.set_parameter(3, "IN_SYNCH", 0)
        return code

    monkeypatch.setattr(library, "call", call)
    with pytest.raises(
        DriverError, match="slot 5: IN_SYNCH: 1 was written, but it is 0"
    ):
        digitizer.write_module("IN_SYNCH", 1, 0)


def test_the_preset_is_the_bits_of_a_float(digitizer, xia):
    word = int(np.float32(2.5).view(np.uint32))
    digitizer.write_module("HOST_RT_PRESET", word, 0)
    assert digitizer.read_module("HOST_RT_PRESET", 1) == word
    assert xia.parameter(0, "HOST_RT_PRESET") == word


def test_settings_are_applied_to_the_modules_and_read_back(digitizer, xia):
    changes = apply(
        digitizer,
        {"TRIGGER_RISETIME": 0.1, "HOST_RT_PRESET": 2.5, "CaptureTrace": True},
        channels=[(0, 0), (0, 3)],
    )
    by_name = {change.name: change for change in changes}
    assert by_name["HOST_RT_PRESET"].got == 2.5
    assert np.uint32(xia.parameter(0, "HOST_RT_PRESET")).view(np.float32) == 2.5
    assert by_name["CaptureTrace"].got
    assert by_name["TRIGGER_RISETIME"].got == digitizer.read_channel(
        "TRIGGER_RISETIME", 0, 3
    )


def test_the_slot_of_a_module_is_never_written(digitizer, xia):
    with pytest.raises(DriverError, match="spoils all events until the next boot"):
        digitizer.write_module("SlotID", 3, 0)
    assert xia.parameter(0, "SlotID") == 2


@pytest.mark.parametrize(
    ("name", "code"),
    [("ModID", 211), ("MODULE_NUMBER", 209), ("SLOW_FILTER_RANGE", 209)],
)
def test_refusals_of_the_library_name_the_slot(digitizer, name, code):
    with pytest.raises(
        XiaError, match=f"slot 3: Pixie16WriteSglModPar .{name} = 9"
    ) as e:
        digitizer.write_module(name, 9, 1)
    assert e.value.code == code


def test_a_value_that_is_not_there_afterwards_is_told(digitizer):
    with pytest.raises(DriverError, match=r"RANGE: 2 was written, but it is 0"):
        digitizer.write_module("FAST_FILTER_RANGE", 2, 0)


def test_a_second_leader_is_refused(digitizer):
    digitizer.write_module("MODULE_CSRB", 1 << 6, 0)
    with pytest.raises(XiaError, match=r"slot 3: .*one module alone can be"):
        digitizer.write_module("MODULE_CSRB", 1 << 6, 1)


def test_parameters_are_copied_to_the_channels_that_are_named(digitizer):
    digitizer.write_channel("TAU", 7.0, 0, 2)
    digitizer.write_channel("EMIN", 9, 0, 2)
    digitizer.copy_parameters((0, 2), [(1, 15), (2, 31)], ["tau"])

    def found(name):
        return {
            (module, channel)
            for module, channels in ((0, 16), (1, 16), (2, 32))
            for channel in range(channels)
            if digitizer.read_channel(name, module, channel) in {7, 9}
        }

    assert found("TAU") == {(0, 2), (1, 15), (2, 31)}
    assert found("EMIN") == {(0, 2)}
    digitizer.copy_parameters((0, 2), [(2, 0)])
    assert found("EMIN") == {(0, 2), (2, 0)}


def test_the_mask_of_a_copy_has_an_entry_for_each_channel(digitizer, monkeypatch):
    library = digitizer._crate.library
    seen = []

    def call(function, *arguments, **options):
        seen.append(arguments)
        return type(library).call(library, function, *arguments, **options)

    monkeypatch.setattr(library, "call", call)
    digitizer.copy_parameters((0, 2), [(1, 0)], PARAMETER_GROUPS)
    ((bits, *source, mask),) = seen
    assert bits == 0x1FBF
    assert source == [0, 2]
    assert mask.size == 16 + 16 + 32
    assert np.flatnonzero(mask).tolist() == [16]


@pytest.mark.parametrize(
    ("source", "destinations", "groups", "text"),
    [
        ((0, 16), [(1, 0)], None, "no channel 16"),
        ((0, 0), [(1, 16)], None, "slot 3: there is no channel 16"),
        ((0, 0), [(3, 0)], None, "no module 3"),
        ((0, 0), [(1, 0)], ["tao"], "did you mean 'tau'"),
        ((0, 0), [(1, 0)], [], "at least one"),
    ],
)
def test_copies_that_cannot_be_are_refused(
    digitizer, source, destinations, groups, text
):
    with pytest.raises(DriverError, match=text):
        digitizer.copy_parameters(source, destinations, groups)


def test_offsets_and_dacs_are_set_in_one_module_or_in_all(digitizer, xia):
    digitizer.adjust_offsets()
    digitizer.adjust_offsets(1)
    digitizer.set_dacs()
    digitizer.set_dacs(2)
    assert xia.calls("Pixie16AdjustOffsets") == xia.calls("Pixie16SetDACs") == 2
    # The number of modules means all of them to the library.
    with pytest.raises(DriverError, match="there is no module 3"):
        digitizer.adjust_offsets(3)
