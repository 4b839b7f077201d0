"""Each point of a scan is on the disk at once, and a scan goes on where it was."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pixie_pipe.scanning import ScanFileError, load_scan, scan
from tests.support.drivers import fake_crate

RISE = "ENERGY_RISETIME"
THRESHOLD = "TRIGGER_THRESHOLD"

OPTIONS = {"measure": ["baseline_noise", "input_rate"], "seconds": 2.0}


def stop_after(points):
    def stop(done, total, point):
        if done == points:
            raise KeyboardInterrupt

    return stop


def test_all_is_there_again(run, tmp_path):
    path = tmp_path / "scan.jsonl"
    result = run(RISE, "2:6:1", output=path, bins=(1, 2), **OPTIONS)
    loaded = load_scan(path)
    assert loaded.scan == result.scan
    assert loaded.targets == result.targets
    np.testing.assert_array_equal(
        loaded.values("input_rate"), result.values("input_rate")
    )
    assert loaded.table() == result.table()
    kinds = [json.loads(line)["record"] for line in path.read_text().splitlines()]
    assert kinds == ["scan", "begin", *["point"] * 5, "end"]


@pytest.mark.usefixtures("untouched")
def test_only_what_is_missing_is_measured(run, crate, tmp_path):
    path = tmp_path / "scan.jsonl"
    with pytest.raises(KeyboardInterrupt):
        run(RISE, "2:6:1", output=path, progress=stop_after(2), **OPTIONS)
    assert not load_scan(path).is_complete
    assert np.isnan(load_scan(path).values()[0]).tolist() == [False] * 2 + [True] * 3
    before, crate.written = crate.runs, []
    result = run(RISE, "2:6:1", output=path, **OPTIONS)
    assert result.is_complete
    assert crate.runs - before == 3
    assert {value for _, value, _, _ in crate.written} == {4, 5, 6}
    whole = run(RISE, "2:6:1", **OPTIONS)
    np.testing.assert_array_equal(whole.values(), load_scan(path).values())


def test_a_complete_scan_touches_nothing(run, crate, tmp_path):
    path = tmp_path / "scan.jsonl"
    run(RISE, "2,3", output=path, **OPTIONS)
    content, crate.written = path.read_bytes(), []
    assert run(RISE, "2,3", output=path, **OPTIONS).is_complete
    assert not crate.written
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("arguments", "changed", "text"),
    [
        ((THRESHOLD, "2,3"), {}, "axes"),
        ((RISE, "2,3.5"), {}, "axes"),
        ((RISE, "2,3"), {"measure": "baseline_noise"}, "measures"),
        ((RISE, "2,3"), {"seconds": 3.0}, "seconds: 2.0 there, 3.0 here"),
        ((RISE, "2,3"), {"bins": (1, 2)}, r"bins: null there, \[1, 2\] here"),
        ((RISE, "2,3"), {"settle_s": 1.0}, "settle_s"),
        ((RISE, "2,3"), {"channels": 1}, "channels"),
    ],
)
def test_another_scan_is_refused(run, crate, tmp_path, arguments, changed, text):
    path = tmp_path / "scan.jsonl"
    run(RISE, "2,3", output=path, **OPTIONS)
    content, crate.written = path.read_bytes(), []
    with pytest.raises(ScanFileError, match=f"another scan(.|\n)*{text}"):
        run(*arguments, output=path, **{**OPTIONS, **changed})
    assert path.read_bytes() == content
    assert not crate.written


def test_another_module_in_the_same_slot_is_another_scan(pace, tmp_path):
    options = {"output": tmp_path / "s.jsonl", "pace": pace, **OPTIONS}
    with fake_crate.FakeCrateDigitizer() as crate:
        scan(crate, RISE, "2", **options)
    exchanged = fake_crate.FakeCrateDigitizer(serial=7)
    with exchanged as crate, pytest.raises(ScanFileError, match="channels"):
        scan(crate, RISE, "2", **options)


@pytest.mark.parametrize("cut", [1, 20, 150])
def test_a_line_that_was_not_finished_is_measured_anew(run, crate, tmp_path, cut):
    path = tmp_path / "scan.jsonl"
    result = run(RISE, "2,3,5", output=path, **OPTIONS)
    lines = path.read_bytes().splitlines(keepends=True)
    # Killed while it wrote the last point: neither that nor an end is there.
    path.write_bytes(b"".join(lines[:-2]) + lines[-2][:-cut])
    for key in [(RISE, module, channel) for module in (0, 1) for channel in (0, 1)]:
        crate.values[key] = 5.04
    before = crate.runs
    again = run(RISE, "2,3,5", output=path, **OPTIONS)
    assert crate.runs - before == 1
    np.testing.assert_array_equal(again.values(), result.values())
    # The values from before the scan are back, not those that it left behind.
    assert crate.values[RISE, 0, 0] == 4
    assert load_scan(path).is_complete


def test_a_scan_that_died_at_its_end_gives_back_the_values(run, crate, tmp_path):
    path = tmp_path / "scan.jsonl"
    run(RISE, "2,3", output=path, **OPTIONS)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    crate.values[RISE, 0, 0] = 3.04
    before = crate.runs
    assert run(RISE, "2,3", output=path, **OPTIONS).is_complete
    assert crate.values[RISE, 0, 0] == 4
    assert crate.runs == before


def test_a_file_in_use_is_refused(run, tmp_path):
    path = tmp_path / "scan.jsonl"
    refused = []

    def start_another(done, total, point):
        with pytest.raises(ScanFileError, match="in use"):
            run(RISE, "2,3", output=path, **OPTIONS)
        refused.append(done)

    run(RISE, "2,3", output=path, progress=start_another, **OPTIONS)
    assert refused == [1, 2]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"hello\n", ":1: is no file of a scan"),
        (b"hello", "is no file of a scan"),
        (b'{"a": 1}\n', "no line of a scan"),
        (b'{"record": "scan", "format": "other"}\n', "is no file of a scan"),
        (
            b'{"record": "scan", "format": "pixie_pipe scan", "version": 2}\n',
            "version 2",
        ),
    ],
)
def test_other_files_are_refused_and_kept(run, tmp_path, content, text):
    path = tmp_path / "other.txt"
    path.write_bytes(content)
    with pytest.raises(ScanFileError, match=text):
        run(RISE, "2", output=path, **OPTIONS)
    assert path.read_bytes() == content
    with pytest.raises(ScanFileError):
        load_scan(path)


def test_a_damaged_line_is_told_with_its_number(run, tmp_path):
    path = tmp_path / "scan.jsonl"
    run(RISE, "2,3", output=path, **OPTIONS)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"{oops\n", *lines[3:]]))
    with pytest.raises(ScanFileError, match=r"scan\.jsonl:3: is damaged"):
        load_scan(path)


@pytest.mark.parametrize("missing", ["measures", "channels", "axes", "results"])
def test_missing_parts_are_told(run, tmp_path, missing):
    path = tmp_path / "scan.jsonl"
    run(RISE, "2,3", output=path, **OPTIONS)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        line.pop(missing, None)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(ScanFileError, match="damaged"):
        load_scan(path)


def test_files_that_cannot_be_used(run, crate, tmp_path):
    with pytest.raises(ScanFileError, match="cannot be written"):
        run(RISE, "2", output=tmp_path / "none" / "x", **OPTIONS)
    assert not crate.written
    with pytest.raises(ScanFileError, match="cannot be read"):
        load_scan(tmp_path / "nothing")
    (tmp_path / "empty").touch()
    with pytest.raises(ScanFileError, match="empty"):
        load_scan(tmp_path / "empty")


@pytest.mark.parametrize(
    "change",
    [
        {"point": 99},
        {"point": -1},
        {"point": "x"},
        {"results": {}},
        {"read_back": [[1]]},
    ],
)
def test_a_damaged_point_is_not_gone_on_with(run, crate, tmp_path, change):
    path = tmp_path / "scan.jsonl"
    run(RISE, "2,3", output=path, **OPTIONS)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[2].update(change)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    content, crate.written = path.read_bytes(), []
    with pytest.raises(ScanFileError, match="damaged"):
        run(RISE, "2,3", output=path, **OPTIONS)
    assert not crate.written
    assert path.read_bytes() == content
