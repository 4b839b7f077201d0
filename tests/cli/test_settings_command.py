"""Settings on the command line: what is shown."""

from __future__ import annotations

import json
import math
import re
from collections import Counter

import pytest

from pixie_pipe.settings import (
    CrateSettings,
    ModuleKind,
    ModuleSettings,
    float_to_word,
    write_json,
)
from pixie_pipe.settings.addresses import SIXTEEN_CHANNELS
from tests.support.module_settings import crate_of
from tests.support.settings_files import rows_of, words_of


def test_values_are_shown_module_by_module(run, first_file):
    code, out, err = run("settings", "show", first_file)
    assert (code, err) == (0, "")
    one, two = out.split("\n\n")
    assert one.startswith(
        "crate 0, slot 2: Rev F, 250 MSPS, 14 bits, 16 channels, serial number 1002\n"
    )
    assert two.startswith("crate 0, slot 3: ")
    rows = rows_of(one)[1:]
    assert rows[0] == ["Name", "Value", "Unit", "Channels"]
    assert ["SLOW_FILTER_RANGE", "3", "module"] in rows
    assert ["HOST_RT_PRESET", "10", "s", "module"] in rows
    assert ["TRIGGER_THRESHOLD", "25", "ADC units", "0-15"] in rows
    assert ["Polarity", "negative", "0-15"] in rows
    places = [row[-1] for row in rows[1:]]
    assert places == sorted(places, key="module".__ne__)


def test_channels_with_one_value_share_a_line(run, second_file):
    code, out, _ = run(
        "settings", "show", second_file, "--module", "0/3", "--names", "tau"
    )
    assert code == 0
    assert rows_of(out)[2:] == [
        ["TAU", "40", "µs", "0-1, 5"],
        ["", "50", "µs", "2-4, 6-15"],
    ]


def test_a_part_is_shown(run, first_file):
    options = ("--module", "2", "0/3", "--channels", "0-3,8", "--names", "TRIGGER_*")
    code, out, _ = run("settings", "show", first_file, *options, "TrigConfig1")
    assert code == 0
    rows = rows_of(out)
    assert [row[0] for row in rows[2:6]] == [
        "TrigConfig1",
        "TRIGGER_RISETIME",
        "TRIGGER_FLATTOP",
        "TRIGGER_THRESHOLD",
    ]
    assert rows[2] == ["TrigConfig1", "0x0", "module"]
    assert {row[-1] for row in rows[3:6]} == {"0-3, 8"}
    assert rows[7][0].startswith("crate 0, slot 3")


def test_raw_words_are_shown(run, first_file):
    names = ("--names", "TAU", "GainDAC", "HostIO")
    code, out, _ = run("settings", "show", first_file, "--module", "2", "--raw", *names)
    assert code == 0
    assert rows_of(out)[1:] == [
        ["Variable", "Word", "Hexadecimal", "Channels", "Parameter"],
        ["HostIO[0-15]", "0", "0x0", "module"],
        ["GainDAC", "0", "0x0", "0-15"],
        ["PreampTau", "1112014848", "0x42480000", "0-15", "TAU"],
    ]


def test_json_of_values(run, first_file):
    names = ("--channels", "1", "--names", "TAU", "Polarity")
    code, out, err = run(
        "settings", "show", first_file, "--module", "3", *names, "--json"
    )
    assert (code, err) == (0, "")
    document = json.loads(out)
    (module,) = document["modules"]
    assert module == {
        "crate": 0,
        "slot": 3,
        "serial": 1003,
        "frequency_msps": 250,
        "adc_bits": 14,
        "revision": "F",
        "channels": 16,
        "fpga_mhz": 125,
        "boards": {},
    }
    tau, polarity = document["values"]
    assert (tau["name"], tau["value"], tau["unit"]) == ("TAU", 50.0, "µs")
    assert (tau["slot"], tau["channel"], tau["word"]) == (3, 1, float_to_word(50))
    assert (polarity["value"], polarity["parameter"]) == ("negative", "CHANNEL_CSRA")


def test_json_has_no_numbers_that_it_does_not_know(run, tmp_path):
    settings = crate_of(2)
    settings[2].channel["PreampTau"][:2] = (0x7FC00000, 0x7F800000)
    path = tmp_path / "a.json"
    write_json(path, settings)
    options = ("--names", "TAU", "--channels", "0-1", "--json")
    code, out, _ = run("settings", "show", path, *options)
    assert code == 0
    one, two = (value["value"] for value in json.loads(out)["values"])
    assert (one, two) == ("nan", "inf")
    assert math.isnan(float(one))


def test_boards_that_differ_are_told(run, tmp_path):
    kind, other = ModuleKind(250, 14, "H"), ModuleKind(500, 14, "H", fpga_mhz=125)
    boards = dict.fromkeys((4, 5, 6, 7), other)
    path = tmp_path / "a.json"
    write_json(path, CrateSettings([ModuleSettings(2, kind, boards=boards)]))
    out = run("settings", "show", path, "--names", "TAU")[1]
    heading = " ".join(out.partition("Name")[0].split())
    assert heading.endswith("16 channels, channels 4-7: 500 MSPS, 14 bits")
    out = run("settings", "show", path, "--names", "TAU", "--json")[1]
    (module,) = json.loads(out)["modules"]
    assert module["boards"]["4"]["frequency_msps"] == 500


@pytest.mark.parametrize("arguments", [("show",), ("show", "--raw"), ("diff",)])
def test_nothing_is_cut_off_in_any_terminal(run, tmp_path, monkeypatch, arguments):
    settings, others = crate_of(2), crate_of(2)
    others[2].channel["MultiplicityMaskH"][::2] = 0x80010000
    others[2].channel["MultiplicityMaskL"][1::2] = 0x55555555
    others[2].channel["ChanCSRa"][::3] = 0xFFFFFFFF
    one, two = tmp_path / "a.json", tmp_path / "b.json"
    write_json(one, settings)
    write_json(two, others)
    command, *options = arguments
    files = [one, two] if command == "diff" else [two]
    names = [] if command == "diff" else ["--names", "Multi*", "Ch*", "NrOf*"]

    def characters(columns: int) -> Counter[str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        out = run("settings", command, *files, *options, *names)[1]
        return Counter(re.sub(r"\s", "", out))

    expected = characters(300)
    for columns in range(40, 130, 5):
        assert characters(columns) == expected


def test_an_old_file_is_shown(run, old_file):
    kinds = ("--kinds", "250/14/f", "500/14/F")
    code, out, err = run("settings", "show", old_file, *kinds, "--names", "QDCLen0")
    assert (code, err) == (0, "")
    rows = rows_of(out)
    assert rows[0][0] == "crate 0, slot 2: Rev F, 250 MSPS, 14 bits, 16 channels"
    assert rows[2] == ["QDCLen0", "0.12", "µs", "0-15"]
    assert rows[6] == ["QDCLen0", "0.3", "µs", "0-15"]


def test_modules_that_are_left_out_are_told(run, old_file):
    code, out, err = run("settings", "show", old_file, "--kinds", "250/14/F")
    assert code == 0
    assert "slot 3" not in out
    assert "note: " in err
    assert "left out the modules in slots 3, of which" in err
    assert run("settings", "show", old_file, "--kinds", "2x250/14/F")[2] == ""


def test_slots_and_addresses_of_an_old_file(run, tmp_path):
    var = tmp_path / "dsp.var"
    lines = [f"0x{0x4A001 + p:08x}  {n}" for n, p in SIXTEEN_CHANNELS.items()]
    var.write_text("\n".join(["0x0004a000  Other", *lines]) + "\n")
    path = tmp_path / "old.set"
    path.write_bytes(bytes(4) + words_of(crate_of(2)[2])[:-4])
    options = ("--kinds", "250/14/F", "--var", var, "--names", "TAU")
    code, _, err = run("settings", "show", path, *options)
    assert code == 1
    assert "the file does not tell the slot; give --slots" in err
    code, out, _ = run("settings", "show", path, *options, "--slots", "9")
    assert code == 0
    assert out.startswith("crate 0, slot 9: ")
    assert rows_of(out)[2] == ["TAU", "50", "µs", "0-15"]


def test_defaults_stand_for_what_is_missing(run, first_file, tmp_path):
    content = json.loads(first_file.read_text())
    del content[1]["channel"]["input"]["BLcut"]
    path = tmp_path / "few.json"
    path.write_text(json.dumps(content))
    code, _, err = run("settings", "show", path)
    assert code == 1
    assert "[1]: channel.input.BLcut: missing" in err
    assert "read with --defaults" in err
    options = ("--defaults", "--names", "BLCUT")
    code, out, _ = run("settings", "show", path, *options)
    assert code == 0
    assert rows_of(out)[-1] == ["BLCUT", "3", "0-15"]


def test_a_file_without_modules(run, tmp_path):
    path = tmp_path / "none.json"
    path.write_text("[]")
    code, out, err = run("settings", "show", path)
    assert (code, out) == (0, "")
    assert err == f"pixie-pipe: note: {path}: holds no modules\n"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--module", "x"), "--module x: expected crate/slot, such as 0/2"),
        (("--module", "0/9"), "no module in (crate, slot) (0, 9); (crate, slot) of"),
        (("--channels", "3-1"), "error: '3-1' is no range; expected such as"),
        (("--channels", "0-3,x"), "'0-3,x': 'x' is no number; expected such as"),
        (("--channels", "32"), "there is no channel 32: the modules have the"),
        (("--channels", "16"), "there is no channel 16: the modules have the"),
        (("--names", "TRIGER_RISETIME"), "did you mean TRIGGER_RISETIME?"),
        (("--names", "FastLength"), "it is listed with --raw"),
        (("--kinds", "250/14/F"), "--kinds: for old .set files only; "),
        (("--kinds", "1", "--slots", "2"), "--kinds and --slots: for old .set files"),
        (("--nams", "TAU"), "--names"),
    ],
)
def test_wrong_options_are_told(run, first_file, arguments, text):
    code, out, err = run("settings", "show", first_file, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("pixie-pipe: error: ")
    assert text in err


@pytest.mark.parametrize(
    ("kinds", "code", "text"),
    [
        ((), 2, "slots that it tells: 2, 3"),
        (("250/14",), 2, "--kinds 250/14: expected MSPS/bits/revision, such as"),
        (("251/14/F",), 2, "--kinds 251/14/F: frequency_msps is 251: expected 100"),
        (("0x250/14/F",), 2, "--kinds 0x250/14/F: expected 1 to 24 modules"),
        (("4x250/14/F",), 1, "holds 3 modules, 4 were asked for"),
        (("3x250/14/F",), 1, "module 2: the file does not tell the slot"),
    ],
)
def test_an_old_file_needs_the_kinds_of_its_modules(run, old_file, kinds, code, text):
    options = ("--kinds", *kinds) if kinds else ()
    found, out, err = run("settings", "show", old_file, *options)
    assert (found, out) == (code, "")
    assert text in err
