"""Settings on the command line: compared and converted, and files that are wrong."""

from __future__ import annotations

import json
import os

import pytest

from pixie_pipe.settings import read_json, write_json
from tests.support.module_settings import crate_of
from tests.support.settings_files import rows_of, words_of


def test_no_difference(run, first_file, tmp_path):
    same = tmp_path / "same.json"
    same.write_bytes(first_file.read_bytes())
    code, out, err = run("settings", "diff", first_file, same)
    assert (code, err) == (0, "")
    assert out == f"{first_file} and {same}: no difference\n"
    code, out, _ = run("settings", "diff", first_file, same, "--json")
    assert code == 0
    document = json.loads(out)
    assert (document["equal"], document["differences"]) == (True, [])


def test_differences_are_told(run, first_file, second_file):
    code, out, err = run("settings", "diff", first_file, second_file)
    assert (code, err) == (1, "")
    assert rows_of(out) == [
        ["first:", str(first_file)],
        [f"second: {second_file}"],
        [""],
        ["crate 0, slot 3"],
        ["Name", "First", "Second", "Channels", "Raw words"],
        ["UserIn[4]", "0", "7", "module"],
        ["TAU", "50 µs", "40 µs", "0-1, 5", "1112014848 1109393408"],
    ]
    code, out, _ = run("settings", "diff", first_file, second_file, "--json")
    assert code == 1
    document = json.loads(out)
    assert document["equal"] is False
    taus = [d for d in document["differences"] if d["name"] == "TAU"]
    assert [(d["channel"], d["first"], d["second"]) for d in taus] == [
        (0, 50.0, 40.0),
        (1, 50.0, 40.0),
        (5, 50.0, 40.0),
    ]


def test_a_module_that_is_not_in_both_is_told(run, first_file, tmp_path):
    other = tmp_path / "other.json"
    write_json(other, crate_of(2))
    code, out, _ = run("settings", "diff", first_file, other)
    assert code == 1
    assert rows_of(out)[-1] == [
        "module",
        "Rev F, 250 MSPS, 14 bits, 16 channels",
        "-",
        "module",
    ]


def test_a_run_stands_for_the_settings_at_its_start(
    run, first_file, second_file, tmp_path
):
    folder = tmp_path / "0042"
    folder.mkdir()
    (folder / "settings-start.json").write_bytes(first_file.read_bytes())
    assert run("settings", "diff", folder, first_file)[0] == 0
    code, out, _ = run("settings", "diff", second_file, folder)
    assert code == 1
    assert f"second: {folder / 'settings-start.json'}" in out
    assert run("settings", "show", folder, "--names", "TAU")[0] == 0


def test_an_old_file_and_its_conversion_are_equal(run, old_file, tmp_path):
    new = tmp_path / "new.json"
    kinds = ("--kinds", "250/14/F", "500/14/F")
    code, out, err = run("settings", "convert", old_file, new, *kinds)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"{new}: 2 modules from {old_file}",
        "  crate 0, slot 2: Rev F, 250 MSPS, 14 bits, 16 channels",
        "  crate 0, slot 3: Rev F, 500 MSPS, 14 bits, 16 channels",
    ]
    settings = read_json(new)
    for module, expected in zip(settings, crate_of(2, 3), strict=True):
        expected.module["SlotID"][0] = module.slot
        assert words_of(module) == words_of(expected)
    assert run("settings", "diff", old_file, new, *kinds)[0] == 0


def test_a_pipe_is_read(run, tmp_path):
    """As in ``settings diff <(git show HEAD:crate.json) crate.json``."""
    path = tmp_path / "one.json"
    write_json(path, crate_of(2))
    reader, writer = os.pipe()
    try:
        # A pipe holds 64 KiB; writing more would wait for a reader.
        assert os.write(writer, path.read_bytes()) == path.stat().st_size < 1 << 16
        os.close(writer)
        assert run("settings", "diff", f"/dev/fd/{reader}", path)[0] == 0
    finally:
        os.close(reader)


def test_json_is_written_in_the_order_of_the_library(run, first_file, tmp_path):
    content = json.loads(first_file.read_text())
    mixed = [dict(reversed(list(module.items()))) for module in content]
    untidy, tidy = tmp_path / "untidy.json", tmp_path / "tidy.json"
    untidy.write_text(json.dumps(mixed))
    assert run("settings", "convert", untidy, tidy)[0] == 0
    assert tidy.read_bytes() == first_file.read_bytes()


def test_a_file_is_replaced_only_if_asked(run, first_file, second_file):
    before = second_file.read_bytes()
    code, out, err = run("settings", "convert", first_file, second_file)
    assert (code, out) == (1, "")
    assert f"{second_file}: exists already" in err
    assert "--force" in err
    assert second_file.read_bytes() == before
    assert run("settings", "convert", first_file, second_file, "--force")[0] == 0
    assert second_file.read_bytes() == first_file.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("none.json", None, "there is no such file"),
        ("a.yaml", b"run:\n", "is no JSON: Expecting value"),
        ("a.json", b"{}", "expected a list of modules, found an object"),
        ("a.json", b"", "is no JSON"),
        ("a.json", b"\xff\xfe", "cannot be read"),
        ("a.bin", bytes(5000), "has 5000 bytes, expected a multiple of 5120"),
        ("a.bin", bytes(5000), "neither a JSON file of XIA's library nor an old"),
        ("a.set", b"", "has 0 bytes, expected a multiple of 5120"),
        ("", None, "is a folder without settings-start.json"),
    ],
)
def test_files_of_another_kind_are_told(run, first_file, tmp_path, name, content, text):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    for code, *arguments in (
        (1, "show", path),
        (2, "diff", first_file, path),
        (2, "diff", path, first_file),
        (1, "convert", path, tmp_path / "new.json"),
    ):
        found, out, err = run("settings", *arguments)
        assert (found, out) == (code, "")
        assert f"{path}: " in err
        assert text in err
    assert not (tmp_path / "new.json").exists()


def test_only_json_is_written(run, first_file, tmp_path):
    code, _, err = run("settings", "convert", first_file, tmp_path / "new.set")
    assert code == 2
    assert "expected a name that ends with .json" in err


def test_an_unknown_part_is_told(run):
    code, _, err = run("settings", "shw", "a.json")
    assert code == 2
    assert 'Did you mean "show"?' in err
    assert "pixie-pipe settings --help" in err


def test_the_exit_code_is_that_of_the_process(run_process, first_file, second_file):
    assert run_process("settings", "diff", first_file, first_file).returncode == 0
    assert run_process("settings", "diff", first_file, second_file).returncode == 1
