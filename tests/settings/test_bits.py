"""Names of bits, and masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.settings import (
    FIELDS,
    SettingsError,
    names_of,
    unnamed_bits,
    word_of,
)
from pixie_pipe.settings.bits import REGISTERS, fields_of
from tests.support.module_settings import words

registers = st.sampled_from(REGISTERS)


def test_the_fields_share_no_bits():
    counts = {register: len(fields_of(register)) for register in REGISTERS}
    assert counts["CHANNEL_CSRA"] == 21
    assert counts["MODULE_CSRB"] == 9
    for register in REGISTERS:
        bits = [bit for field in fields_of(register) for bit in field.bits]
        assert len(bits) == len(set(bits))
    # The masks of coincidences have a name for every bit.
    for register in ("MultiplicityMaskL", "MultiplicityMaskH"):
        assert unnamed_bits(register, 2**32 - 1) == 0


@given(register=registers, word=words)
def test_a_register_is_its_names_and_the_rest(register, word):
    names = names_of(register, word)
    assert word_of(register, names, unnamed_bits(register, word)) == word
    assert word_of(register, names, word) == word


@given(register=registers, word=words, other=words, data=st.data())
def test_setting_a_field_changes_nothing_else(register, word, other, data):
    field = data.draw(st.sampled_from(fields_of(register)))
    value = field.get(other)
    after = word_of(register, {field.name: value}, word)
    assert field.get(after) == value
    assert after & ~field.mask == word & ~field.mask


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("FastTrigSelect", "external", 1 << 0),
        ("GoodChannel", True, 1 << 2),
        ("Polarity", "positive", 1 << 5),
        ("CaptureTrace", np.True_, 1 << 8),
        ("Gain", 2.5, 1 << 14),
        ("Gain", np.float64(0.625), 0),
        ("RejectPileup", "single", 1 << 15),
        ("RejectPileup", "pileup", 1 << 16),
        ("RejectPileup", "pileup-only", 3 << 15),
        ("ExtTimestamps", True, 1 << 21),
        ("ChassisMaster", True, 1 << 6),
        ("ConnectFastTriggerBP", True, 1 << 13),
        ("MultiplicitySelf", [0, 15], 0x8001),
        ("MultiplicityLeft", range(2), 0x30000),
        ("MultiplicityRight", np.array([3]), 8),
        ("ChannelValidationSource", "multiplicity", 1 << 16),
        ("ChannelValidationSource", "group/external", 1 << 31),
        ("NrOfMultiplicities", 31, 0x1F << 17),
        ("NrOfCoincidencesSelf", 7, 7 << 22),
        ("NrOfCoincidencesRight", 7, 7 << 25),
        ("NrOfCoincidencesLeft", np.uint8(7), 7 << 28),
    ],
)
def test_known_bits(name, value, word):
    field = FIELDS[name]
    assert field.put(0, value) == word
    assert field.put(2**32 - 1, value) == (2**32 - 1) & ~field.mask | word


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("Polarity", "up", "'positive' or 'negative'"),
        ("Polarity", ["positive"], "'positive' or 'negative'"),
        ("Gain", 1.0, "2.5 or 0.625"),
        ("GoodChannel", 2, "True or False"),
        ("GoodChannel", None, "True or False"),
        ("RejectPileup", "none", "'all' or 'single' or 'pileup' or 'pileup-only'"),
        ("MultiplicitySelf", [16], "a list of channels from 0 to 15"),
        ("MultiplicitySelf", [-1], "a list of channels from 0 to 15"),
        ("MultiplicitySelf", 3, "a list of channels from 0 to 15"),
        ("MultiplicitySelf", "12", "a list of channels from 0 to 15"),
        ("NrOfMultiplicities", 32, "a whole number from 0 to 31"),
        ("NrOfMultiplicities", 1.5, "a whole number from 0 to 31"),
        ("NrOfMultiplicities", True, "a whole number from 0 to 31"),
    ],
)
def test_wrong_values_are_told(name, value, expected):
    with pytest.raises(SettingsError) as error:
        FIELDS[name].put(0, value)
    assert str(error.value) == f"{name} is {value!r}: expected {expected}"


def test_a_field_of_another_register_is_told():
    with pytest.raises(SettingsError, match="MODULE_CSRB has no bits 'Polarity'"):
        word_of("MODULE_CSRB", {"Polarity": "positive"})
    with pytest.raises(SettingsError, match="those that have: CHANNEL_CSRA"):
        names_of("TAU", 1)


@pytest.mark.parametrize("name", [n for n, f in FIELDS.items() if not f.channels])
def test_each_value_has_a_word(name):
    field = FIELDS[name]
    for number in range(1 << len(field.bits)):
        value = field.value_of(number)
        assert field.number_of(value) == number
        assert field.parse(field.word(value)) == value
        assert field.parse(f" {field.word(value).upper()} ") == value


def test_words_for_on_and_off():
    field = FIELDS["EnableCFD"]
    assert [field.parse(text) for text in ("on", "1", "True", "yes")] == [True] * 4
    assert [field.parse(text) for text in ("off", "0", "false", "NO")] == [False] * 4


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("EnableCFD", "maybe", "EnableCFD is 'maybe': expected on or off"),
        ("Polarity", "1", "expected positive or negative"),
        ("Gain", "1", "expected 2.5 or 0.625"),
        ("NrOfMultiplicities", "32", "a whole number from 0 to 31"),
        ("NrOfMultiplicities", "two", "a whole number from 0 to 31"),
        ("MultiplicitySelf", "3", "a list of channels"),
    ],
)
def test_words_that_are_none(name, text, expected):
    with pytest.raises(SettingsError, match=expected):
        FIELDS[name].parse(text)
