"""Settings files: by slot and serial number, whole, and never `null`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pixie_pipe.drivers.digitizer import DriverError
from pixie_pipe.drivers.xia import SettingsError, XiaError
from pixie_pipe.storage.atomic import OutputExistsError


def taus(digitizer) -> list[float]:
    return [digitizer.read_channel("TAU", number, 0) for number in range(3)]


@pytest.fixture
def saved(make, tmp_path):
    """Return a settings file (slots 2, 3, 4 with tau 20, 30, 40) and its content."""
    with make() as digitizer:
        for number in range(3):
            for channel in range(16):
                tau = 20.0 + 10 * number
                digitizer.write_channel("TAU", tau, number, channel)
        digitizer.save_settings(tmp_path / "settings.json")
        for number in range(3):
            for channel in range(16):
                digitizer.write_channel("TAU", 5.0, number, channel)
    path = tmp_path / "settings.json"
    content: list[dict[str, Any]] = json.loads(path.read_text())
    return path, content


def test_what_was_saved_can_be_loaded(make, saved):
    path, _ = saved
    with make() as digitizer:
        assert taus(digitizer) == [5, 5, 5]
        digitizer.load_settings(path)
        assert taus(digitizer) == [20, 30, 40]


@pytest.mark.parametrize("boot", ["probe", "reset", "settings"])
def test_settings_of_the_session_are_loaded_in_the_order_of_the_slots(
    make, saved, xia, boot
):
    path, content = saved
    path.write_text(json.dumps([content[2], content[0], content[1]]))
    with make(settings=str(path), boot=boot) as digitizer:
        assert taus(digitizer) == [20, 30, 40]


def test_entries_are_found_by_slot_wherever_they_are(make, saved):
    path, content = saved
    path.write_text(json.dumps([content[2], content[0], content[1]]))
    with make() as digitizer:
        digitizer.load_settings(path)
        assert taus(digitizer) == [20, 30, 40]


def test_entries_of_other_modules_do_not_matter(make, saved):
    path, content = saved
    other = json.loads(json.dumps(content[0]))
    other["metadata"] |= {"slot": 9, "serial-num": 7}
    path.write_text(json.dumps([other, *content]))
    with make() as digitizer:
        digitizer.load_settings(path)
        assert taus(digitizer) == [20, 30, 40]


def without(content, number):
    del content[number]


def moved(content, number):
    content[number]["metadata"]["slot"] = 9


def exchanged(content, number):
    content[number]["metadata"]["serial-num"] = 77


def twice(content, number):
    content.append(content[number])


def short(content, number):
    del content[number]["channel"]["input"]["TAU"][-1]


def bare(content, number):
    del content[number]["module"]["input"]


def placeless(content, number):
    del content[number]["metadata"]["slot"]


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (without, r"slot 3: no settings for the module there \(serial number 1000\)"),
        (moved, "slot 3: no settings .*; settings of this .* at crate 0, slot 9"),
        (exchanged, "slot 3: .* are of serial number 77, the module has 1000.*ignored"),
        (twice, "slot 3: there are two modules in this place"),
        (short, r"slot 3: channel\.input\.TAU has 15 values, expected 16"),
        (bare, r"\[1\]: module\.input is missing"),
        (placeless, r"\[1\]: metadata\.slot is missing"),
    ],
)
def test_files_that_do_not_fit_are_refused_before_the_boot(
    make, saved, xia, damage, text
):
    path, content = saved
    damage(content, 1)
    path.write_text(json.dumps(content))
    boots = xia.calls("PixieBootCrate")
    with pytest.raises(SettingsError, match=text):
        make(settings=path, boot="reset").open()
    assert xia.calls("PixieBootCrate") == boots
    with make() as digitizer:
        with pytest.raises(SettingsError, match=text):
            digitizer.load_settings(path)
        assert taus(digitizer) == [5, 5, 5]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"null", "when no module was booted"),
        (b"{}", "expected a list"),
        (b"[]", "no settings for the module there"),
        (b"[1]", r"\[0\]: expected an object, found 1"),
        (b"[{}]", r"\[0\]: metadata is missing"),
        (b"\x00\x01binary", "is no JSON"),
        (b"\xff\xfebinary", "pixie-pipe settings convert"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_settings_file_is_refused(make, tmp_path, content, text):
    path = tmp_path / "wrong.json"
    if content is not None:
        path.write_bytes(content)
    with make() as digitizer, pytest.raises(SettingsError, match=text):
        digitizer.load_settings(path)


def test_the_settings_of_a_module_can_be_used_for_its_successor(make, saved):
    path, content = saved
    exchanged(content, 1)
    path.write_text(json.dumps(content))
    with make(settings=path, ignore_serials=True) as digitizer:
        assert taus(digitizer) == [20, 30, 40]
        digitizer.load_settings(path, ignore_serials=True)


def test_settings_without_a_serial_number_are_those_of_their_slot(make, saved):
    path, content = saved
    for entry in content:
        del entry["metadata"]["serial-num"]
    path.write_text(json.dumps(content))
    with make() as digitizer:
        digitizer.load_settings(path)
        assert taus(digitizer) == [20, 30, 40]


def test_settings_do_not_change_the_number_of_the_crate(make, saved, xia):
    path, content = saved
    for entry in content:
        entry["module"]["input"]["CrateID"] = 5
    path.write_text(json.dumps(content))
    with make(settings=path, crate=1) as digitizer:
        assert xia.parameter(0, "CrateID") == 1
        digitizer.load_settings(path)
        assert xia.parameter(2, "CrateID") == 1


def test_before_the_boot_no_file_is_written(make, xia, tmp_path):
    path = tmp_path / "settings.json"
    path.write_text("my settings")
    with pytest.raises(DriverError, match="not open"):
        make().save_settings(path, force=True)
    assert path.read_text() == "my settings"
    assert xia.calls("Pixie16SaveDSPParametersToFile") == 0


def test_a_file_that_lacks_modules_is_not_kept(make, xia, tmp_path):
    path = tmp_path / "settings.json"
    with make() as digitizer:
        path.write_text("my settings")
        texts = ["slot 3: no settings", "slot 2: no settings", "holds no settings"]
        for module, text in zip((1, 0, 2), texts, strict=True):
            # Offline modules are left out; without any, it is `null`.
            xia.call.test_refuse_boot(module, 0)
            with pytest.raises(SettingsError, match=text):
                digitizer.save_settings(path, force=True)
        assert path.read_text() == "my settings"
    assert sorted(file.name for file in tmp_path.glob("settings*")) == [path.name]


def test_no_file_is_replaced_unless_that_was_said(make, tmp_path):
    path = tmp_path / "settings.json"
    path.write_text("my settings")
    with make() as digitizer:
        with pytest.raises(OutputExistsError):
            digitizer.save_settings(path)
        assert path.read_text() == "my settings"
        digitizer.save_settings(path, force=True)
    assert len(json.loads(path.read_text())) == 3


def test_while_a_run_goes_on_settings_are_left_alone(make, saved, tmp_path):
    path, _ = saved
    with make() as digitizer:
        digitizer.start_run()
        with pytest.raises(XiaError, match="stop the run first"):
            digitizer.load_settings(path)
        with pytest.raises(XiaError, match="stop the run first"):
            digitizer.save_settings(tmp_path / "new.json")
        assert not (tmp_path / "new.json").exists()
