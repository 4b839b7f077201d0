"""Settings files: XIA's JSON, the old binary form, and addresses of variables."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from pixie_pipe.settings import (
    CHANNEL_VARIABLES,
    MODULE_VARIABLES,
    CrateSettings,
    ModuleKind,
    ModuleSettings,
    SettingsFileError,
    read_json,
    read_set,
    read_var,
    stored_slots,
    write_json,
)
from pixie_pipe.settings.addresses import SIXTEEN_CHANNELS
from pixie_pipe.storage.atomic import OutputExistsError
from tests.support.module_settings import crate_of, random_modules

KIND = ModuleKind(250, 14, "F")


def object_of(slot: int = 2, **changes: Any) -> dict[str, Any]:
    """Return what XIA's library writes for a module, made without our writer."""
    board = {"adc_bits": 14, "adc_clk_div": 2, "adc_msps": 250, "fpga_clk_mhz": 125}
    metadata = {
        "config": [dict(board) for _ in range(16)],
        "dsp": {"file": "dsp.ldr", "rev": 15, "tag": "15-250-14"},
        "fifo": {"buffers": 100},
        "hardware_revision": "F",
        "num-channels": 16,
        "number": 0,
        "serial-num": 1000 + slot,
        "slot": slot,
    }
    module: dict[str, Any] = {
        name: list(range(width)) if width > 1 else width
        for name, width in MODULE_VARIABLES.items()
    }
    module["CrateID"] = 0
    channel = {name: list(range(16)) for name in CHANNEL_VARIABLES}
    content: dict[str, Any] = {
        "metadata": metadata,
        "module": {"input": module},
        "channel": {"input": channel},
    }
    for path, value in changes.items():
        place = content
        *parents, name = path.split("__")
        for parent in parents:
            place = place[parent]
        if value is KeyError:
            del place[name]
        else:
            place[name] = value
    return content


@pytest.fixture
def written(tmp_path):
    def write(content, name="settings.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


@given(module=random_modules())
def test_what_is_written_is_read_again(tmp_path_factory, module):
    path = tmp_path_factory.mktemp("settings") / "a.json"
    write_json(path, CrateSettings([module]))
    read = read_json(path)
    assert read[2].kind == module.kind
    assert read[2].serial == module.serial
    for first, second in (
        (read[2].module, module.module),
        (read[2].channel, module.channel),
    ):
        for name, words in second.items():
            assert first[name].dtype == np.uint32
            assert np.array_equal(first[name], words)
    write_json(path, read, force=True)
    assert read_json(path) == read


def test_a_file_of_the_library_is_written_as_it_was(written, tmp_path):
    content = [object_of(2), object_of(5)]
    content[1]["metadata"]["number"] = 1
    content[0]["note"] = "mine"
    content[0]["module"]["output"] = {"RunTime": 3}
    content[0]["channel"]["input"]["NewVariable"] = [1, 2]
    text = json.dumps(content, indent=4, sort_keys=True) + "\n"
    settings = read_json(written(text))
    assert settings.places == [(0, 2), (0, 5)]
    assert settings[5].serial == 1005
    path = tmp_path / "again.json"
    write_json(path, settings)
    assert path.read_text() == text


def test_files_are_not_overwritten(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, crate_of(2))
    before = path.read_text()
    with pytest.raises(OutputExistsError):
        write_json(path, crate_of(3))
    assert path.read_text() == before
    write_json(path, crate_of(3), force=True)
    assert 3 in read_json(path)
    assert list(tmp_path.iterdir()) == [path]


def test_the_crate_is_that_of_the_variables(written):
    content = [object_of(2), object_of(2, module__input__CrateID=3)]
    assert read_json(written(content)).places == [(0, 2), (3, 2)]


def test_short_lists_are_extended_with_the_first_element(written):
    content = [object_of(2, channel__input__BLcut=[7], channel__input__Xavg=[1, 2])]
    channel = read_json(written(content))[2].channel
    assert channel["BLcut"].tolist() == [7] * 16
    assert channel["Xavg"].tolist() == [1, 2] + [1] * 14


def test_missing_variables_get_defaults_only_if_asked(written):
    content = [
        object_of(
            2, module__input__FIFOLength=KeyError, channel__input__PeakSep=KeyError
        )
    ]
    path = written(content)
    with pytest.raises(SettingsFileError) as error:
        read_json(path)
    assert "[0]: module.input.FIFOLength, channel.input.PeakSep: missing" in str(
        error.value
    )
    settings = read_json(path, complete=False)[2]
    assert int(settings.module["FIFOLength"][0]) == 16380
    assert settings.channel["PeakSep"].tolist() == [44] * 16


def test_boards_of_one_module_may_differ(written):
    content = object_of(2, metadata__hardware_revision="H")
    content["metadata"]["config"][3].update(adc_msps=100, fpga_clk_mhz=125)
    settings = read_json(written([content]))[2]
    assert settings.kind.frequency_msps == 250
    assert list(settings.boards) == [3]
    assert settings.kind_of(3).frequency_msps == 100


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("null", "holds no settings (null); XIA's library writes this when no module"),
        ("[", "is no JSON"),
        ('[{"a": 1, "a": 2}]', "is no JSON: 'a' is there twice"),
        ("{}", "expected a list of modules, found an object"),
        ("[3]", "[0]: expected an object, found 3"),
        ("[{}]", "[0]: metadata is missing"),
        ([object_of(2), object_of(2)], "[1]: crate 0, slot 2: there are two modules"),
        ([object_of(channel__input=KeyError)], "[0]: channel.input is missing"),
        ([object_of(module=[])], "[0]: module.input is missing"),
        (
            [object_of(module__input=[])],
            "module.input: expected an object, found",
        ),
        ([object_of(metadata__slot=KeyError)], "metadata.slot is missing"),
        ([object_of(metadata__slot="2")], "metadata.slot is '2': expected a whole"),
        ([object_of(metadata__hardware_revision="X")], "hardware_revision is 'X'"),
        ([object_of(metadata__config=[])], "metadata.config: expected a list of 16"),
        ([object_of(module__input__ModNum=-1)], "module.input.ModNum has -1: expected"),
        ([object_of(module__input__ModNum=2**32)], "ModNum has 4294967296: expected"),
        ([object_of(module__input__ModNum=1.0)], "ModNum has 1.0: expected whole"),
        ([object_of(module__input__ModNum=True)], "ModNum has True: expected whole"),
        ([object_of(module__input__HostIO=[1])], "HostIO has 1 values, expected 16"),
        ([object_of(channel__input__BLcut=[])], "BLcut has 0 values, expected a list"),
        ([object_of(channel__input__BLcut=[0] * 17)], "BLcut has 17 values, expected"),
        (
            [object_of(channel__input__BLcut=3)],
            "BLcut has 3, expected a list of 1 to",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(written, content, text):
    path = written(content)
    with pytest.raises(SettingsFileError) as error:
        read_json(path)
    assert str(error.value).startswith(f"{path}: ")
    assert text in str(error.value)


def test_a_file_that_is_not_there_is_told(tmp_path):
    for read in (read_json, read_var, lambda path: read_set(path, [KIND])):
        with pytest.raises(SettingsFileError, match="cannot be read"):
            read(tmp_path / "none")


# Places of some variables, in words, as XIA's published variable files have them.
PUBLISHED = {
    "ModNum": 0x000,
    "SlowFilterRange": 0x00C,
    "HostIO": 0x00F,
    "CrateID": 0x030,
    "SlotID": 0x031,
    "HostRunTimePreset": 0x03E,
    "ChanCSRa": 0x040,
    "PeakSep": 0x0E0,
    "PreampTau": 0x230,
    "MultiplicityMaskH": 0x250,
    "QDCLen7": 0x330,
    "FIFOLength": 0x362,
}


def test_places_of_variables():
    assert {name: SIXTEEN_CHANNELS[name] for name in PUBLISHED} == PUBLISHED
    assert set(SIXTEEN_CHANNELS) == {*MODULE_VARIABLES, *CHANNEL_VARIABLES}


def block_of(slot: int) -> bytes:
    """Return the words of a module, each of them with its own value but for some."""
    words = list(range(1280))
    words[0x031] = slot
    words[0x030] = 0
    words[0x00C] = 4
    words[0x00D] = 0
    words[0x230:0x240] = [struct.unpack("<I", struct.pack("<f", 46.25))[0]] * 16
    return struct.pack("<1280I", *words)


def test_an_old_file_is_read(tmp_path):
    path = tmp_path / "old.set"
    path.write_bytes(block_of(2) + block_of(5) + bytes(5120))
    settings = read_set(path, [KIND, ModuleKind(500, 14, "F")])
    assert settings.places == [(0, 2), (0, 5)]
    module = settings[5]
    assert module.kind.frequency_msps == 500
    assert module.serial is None
    assert int(module.module["SlowFilterRange"][0]) == 4
    assert module.module["HostIO"].tolist() == list(range(0xF, 0x1F))
    assert module.channel["QDCLen7"].tolist() == list(range(0x330, 0x340))
    assert module.channel["PreampTau"].view(np.float32).tolist() == [46.25] * 16
    assert read_set(path, [KIND, KIND], slots=[2, 5]).places == [(0, 2), (0, 5)]


def test_addresses_can_come_from_the_firmware(tmp_path):
    """All variables one word later than in the known firmware."""
    var = tmp_path / "dsp.var"
    lines = [f"0x{0x4A001 + p:08x}  {n}" for n, p in SIXTEEN_CHANNELS.items()]
    var.write_text("\n".join(["0x0004a000  Other", "", *lines]) + "\n")
    addresses = read_var(var)
    assert addresses["Other"] == 0
    assert addresses["ChanCSRa"] == 0x41
    path = tmp_path / "old.set"
    path.write_bytes(block_of(2))
    settings = read_set(path, [KIND], slots=[0x32], addresses=addresses)
    assert settings[0x32].channel["ChanCSRa"].tolist() == list(range(0x41, 0x51))


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ("0x4a000 ModNum\nnonsense\n", ":2: expected an address in hexadecimal"),
        ("zz ModNum\n", ":1: expected an address in hexadecimal and a name"),
        ("0x4a000 ModNum\n", "no address of ModCSRA, ModCSRB"),
    ],
)
def test_wrong_variable_files_are_told(tmp_path, lines, text):
    path = tmp_path / "dsp.var"
    path.write_text(lines)
    with pytest.raises(SettingsFileError) as error:
        read_var(path)
    assert text in str(error.value)


def test_slots_that_an_old_file_tells(tmp_path):
    path = tmp_path / "old.set"
    path.write_bytes(block_of(2) + block_of(5) + bytes(5120))
    assert stored_slots(path) == [2, 5, 0]
    moved = {**SIXTEEN_CHANNELS, "SlotID": 0x100}
    assert stored_slots(path, addresses=moved) == [0x100, 0x100, 0]
    with pytest.raises(SettingsFileError, match="address of SlotID is behind the 1280"):
        stored_slots(path, addresses={**SIXTEEN_CHANNELS, "SlotID": 1280})
    path.write_bytes(bytes(7))
    with pytest.raises(SettingsFileError, match="has 7 bytes, expected a multiple"):
        stored_slots(path)


@pytest.mark.parametrize(
    ("data", "kinds", "slots", "text"),
    [
        (b"", [KIND], None, "has 0 bytes, expected a multiple of 5120"),
        (bytes(5119), [KIND], None, "has 5119 bytes, expected a multiple of 5120"),
        (bytes(5120), [KIND], None, "module 0: the file does not tell the slot"),
        (block_of(2), [KIND, KIND], None, "holds 1 modules, 2 were asked for"),
        (
            block_of(2),
            [KIND],
            [3],
            "settings are of slot 2, the module is in slot 3",
        ),
        (block_of(2), [KIND], [2, 3], "1 kinds and 2 slots"),
        (
            block_of(2) * 2,
            [KIND, KIND],
            None,
            "module 1: crate 0, slot 2: there are",
        ),
        (block_of(2), [ModuleKind(250, 14, "H", 32)], None, "16 channels only"),
    ],
)
def test_wrong_old_files_are_told(tmp_path, data, kinds, slots, text):
    path = tmp_path / "old.set"
    path.write_bytes(data)
    with pytest.raises(SettingsFileError) as error:
        read_set(path, kinds, slots=slots)
    assert text in str(error.value)


def test_an_address_behind_the_memory_is_told(tmp_path):
    path = tmp_path / "old.set"
    path.write_bytes(block_of(2))
    addresses = {**SIXTEEN_CHANNELS, "Xavg": 1270}
    with pytest.raises(SettingsFileError, match="address of Xavg is behind the 1280"):
        read_set(path, [KIND], addresses=addresses)


def test_the_number_of_a_module_that_has_none_is_its_place(tmp_path):
    path = tmp_path / "a.json"
    modules = [ModuleSettings(slot=slot, kind=KIND) for slot in (4, 2)]
    write_json(path, CrateSettings(modules))
    content = json.loads(path.read_text())
    numbers = [(m["metadata"]["slot"], m["metadata"]["number"]) for m in content]
    assert numbers == [(4, 0), (2, 1)]
    assert "serial-num" not in content[0]["metadata"]
