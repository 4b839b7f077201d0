"""What inspect tells, as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

MODULE = ("--frequency", "500", "--revision", "34688")


def inspected(run, *arguments) -> dict[str, Any]:
    code, out, err = run("inspect", *arguments, *MODULE, "--json")
    assert (code, err) == (0, "")

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    document: dict[str, Any] = json.loads(out, parse_constant=refuse)
    assert document["balance"]["closes"] is True
    return document


def test_the_sample(run, sample_file):
    code, out, err = run("inspect", sample_file, *MODULE)
    assert (code, err) == (0, "")
    assert "5 000, " in out
    assert "Module 0/2" in out
    assert "resets   none" in out
    assert "0 rejected" in out
    assert "█" in out
    assert max(map(len, out.splitlines()[3:])) <= 80
    assert all(line == line.rstrip() for line in out.splitlines()[3:12])
    assert "\x1b" not in out


def test_ascii_where_the_encoding_has_no_blocks(run_process, sample_file):
    done = run_process("inspect", sample_file, *MODULE, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert "##" in done.stdout
    assert " us to " in done.stdout or " ns to " in done.stdout


def test_colours_only_where_wanted(run_process, sample_file):
    arguments = ("inspect", sample_file, *MODULE)
    forced = run_process(*arguments, FORCE_COLOR="1", TERM="xterm-256color").stdout
    assert "\x1b[" in forced
    plain = run_process(*arguments, FORCE_COLOR="1", NO_COLOR="1", TERM="xterm").stdout
    assert "\x1b[3" not in plain


def test_columns_is_the_width(run_process, sample_file):
    for columns in (60, 100):
        done = run_process("inspect", sample_file, *MODULE, COLUMNS=str(columns))
        widths = [len(line) for line in done.stdout.splitlines() if "┬" in line]
        assert set(widths) == {columns}


def test_channels_and_spectra_can_be_chosen(run, sample_file):
    code, out, _ = run("inspect", sample_file, *MODULE, "--channel", "0/2/1")
    assert code == 0
    assert out.count("┬") > 0
    assert "0/2/2" not in out
    code, out, _ = run("inspect", sample_file, *MODULE, "--spectra", "0")
    assert code == 0
    assert "┬" not in out
    code, out, _ = run("inspect", sample_file, *MODULE, "--spectra", "1")
    assert "2 more channels: --spectra 3, or --channel 0/2/" in out
    code, _, err = run("inspect", sample_file, *MODULE, "--channel", "0/2/7")
    assert code == 2
    assert "only of 0/2/0, 0/2/1, 0/2/2" in err


def test_json(run, sample_file):
    found = inspected(run, sample_file)
    assert found["events"] == 5000
    assert found["balance"]["closes"] is True
    assert found["balance"]["read"] * 4 == sample_file.stat().st_size
    (stream,) = found["streams"]
    assert stream["files"] == [
        {"path": str(sample_file), "size_bytes": sample_file.stat().st_size}
    ]
    assert stream["layout"]["name"] == "500-34688"
    (module,) = found["modules"]
    assert (module["crate"], module["slot"]) == (0, 2)
    assert sum(module["header_lengths"].values()) == 5000
    assert set(module["trace_lengths"]) == {"0", "100"}
    assert sum(row["events"] for row in found["channels"]) == 5000
    for row in found["channels"]:
        assert sum(row["spectrum"]["counts"]) == row["events"]
    assert found["rejected"]["stretches"] == 0
    assert found["notes"] == []


def test_several_files_are_one_stream(run, sample_file, tmp_path):
    data = sample_file.read_bytes()
    parts = [tmp_path / "part_1.bin", tmp_path / "part_2.bin"]
    cut = len(data) // 2 + 1
    parts[0].write_bytes(data[:cut])
    parts[1].write_bytes(data[cut:])
    whole, parted = inspected(run, sample_file), inspected(run, *parts)
    assert parted["modules"] == whole["modules"]
    assert parted["channels"] == whole["channels"]
    assert len(parted["streams"]) == 1


def damaged(sample_file, tmp_path) -> Path:
    words = np.fromfile(sample_file, "<u4")
    middle = words.size // 2
    path: Path = tmp_path / "damaged.bin"
    noise = np.full(7, 0xFFFFFFFF, "<u4")
    np.concatenate([words[:middle], noise, words[middle:-1]]).tofile(path)
    with path.open("ab") as file:
        file.write(b"\x01\x02")
    return path


def test_damage_is_listed_with_place_and_reason(run, sample_file, tmp_path):
    path = damaged(sample_file, tmp_path)
    found = inspected(run, path)
    rejected = found["rejected"]
    assert rejected["stretches"] == len(rejected["first"]) >= 1
    assert sum(row["words"] for row in rejected["reasons"]) == rejected["words"] >= 7
    first = rejected["first"][0]
    assert first["path"] == str(path)
    assert first["byte_offset"] == 4 * first["word_offset"] > 0
    assert found["balance"]["closes"] is True
    assert len(found["notes"]) == 3
    code, out, _ = run("inspect", path, *MODULE)
    assert code == 0
    assert "Rejected in" in out
    assert "note: " in out
    code, out, _ = run("inspect", path, *MODULE, "--rejected", "0")
    assert "Rejected in" not in out


def test_places_of_damage_count_from_the_start_of_their_file(
    run, sample_file, tmp_path
):
    path = damaged(sample_file, tmp_path)
    alone = inspected(run, path)["rejected"]["first"][0]
    behind = inspected(run, sample_file, path)["rejected"]["first"][0]
    assert behind == alone


def test_names_of_files_are_no_markup(run, sample_file, tmp_path):
    path = tmp_path / "a [red]b.bin"
    path.write_bytes(sample_file.read_bytes())
    assert f"{path}, " in run("inspect", path, *MODULE)[1]


def test_an_empty_file(run, tmp_path):
    path = tmp_path / "empty.bin"
    path.touch()
    code, out, _ = run("inspect", path, *MODULE)
    assert code == 0
    assert f"note: {path}: the file is empty" in out
    found = inspected(run, path)
    assert found["events"] == 0
    assert found["modules"] == found["channels"] == []


def test_a_byte_swapped_file(run, sample_file, tmp_path):
    path = tmp_path / "swapped.bin"
    np.fromfile(sample_file, "<u4").byteswap().tofile(path)
    code, _, err = run("inspect", path, *MODULE)
    assert code == 1
    assert "byte-swapped" in err
    assert "--byte-order big" in err
    swapped = inspected(run, path, "--byte-order", "big")
    assert swapped["events"] == 5000


def test_a_layout_can_be_changed(run, sample_file):
    slow = inspected(run, sample_file)["modules"][0]
    fast = inspected(run, sample_file, "--set", "tick_ps=5000")["modules"][0]
    assert fast["span_ps"] == pytest.approx(slow["span_ps"] / 2, rel=1e-6)


def test_recorded_headers(run, real_data):
    found = inspected(run, real_data / "headers.bin")
    assert found["events"] == 24_598
    assert found["rejected"]["words"] == 0
    assert found["balance"]["leftover"] == 0
    assert [row["channel"] for row in found["channels"]] == [9, 10]
    (module,) = found["modules"]
    assert module["header_lengths"] == {"4": 24_598}
    assert module["span_ps"] == pytest.approx(10e12, rel=0.01)


def test_recorded_traces(run, real_data):
    found = inspected(run, real_data / "traces.bin")
    (module,) = found["modules"]
    assert module["events"] == 9
    assert module["header_lengths"] == {"8": 9}
    assert module["trace_lengths"] == {"5000": 9}
    code, out, _ = run("inspect", real_data / "traces.bin", *MODULE)
    assert code == 0
    assert "all 5 000 samples" in out


def test_the_table_of_layouts(run):
    code, out, err = run("layouts")
    assert (code, err) == (0, "")
    for name in ("100-17562", "250-46540", "500-34688", "500-34688-H"):
        assert name in out
    assert "tick_ps" in out
