"""Runs from the command line: list, show, search, verify, comment."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from pathlib import Path

import numpy as np
import pexpect
import pytest

from pixie_pipe.storage import RawRecorder, RunDirectory
from pixie_pipe.storage.run_record import RunPause

DAY = dt.datetime(2026, 1, 31, 12).astimezone()


def taken(
    parent: Path, title: str = "", *, days: int = 0, slot: int = 2, reasons=()
) -> RunDirectory:
    run = RunDirectory.create(
        parent,
        title=title,
        modules=[{"crate": 0, "slot": slot}],
        configuration={"tasks": [{"name": "source", "task": "DummyData"}]},
    )
    with RawRecorder(run.raw, rotate_bytes=4000) as recorder:
        for part in range(2):
            words = np.arange(1000 * part, 1000 * (part + 1), dtype=np.uint32)
            recorder.write(f"c0-s{slot:02}", words)
    started = DAY + dt.timedelta(days=days)
    balance = {"events_written": 500 + slot}
    run.finish(
        started=started,
        stopped=started + dt.timedelta(minutes=5 * slot),
        files=recorder.files,
        complete=not reasons,
        reasons=reasons,
        balance=balance,
    )
    return run


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    parent = tmp_path / "runs"
    taken(parent, "Cs-137 [bold]at 10 cm[/]")
    taken(parent, days=1, slot=3, reasons=["12 lost", "cable", "x"])
    RunDirectory.create(parent, title="Co-60")
    return parent


@pytest.fixture
def content(runs: Path):
    """Return a function that gives all files but the index, with their content."""

    def content() -> dict[str, bytes]:
        return {
            str(path.relative_to(runs)): path.read_bytes()
            for path in runs.rglob("*")
            if path.is_file() and path.name != ".runs.sqlite"
        }

    return content


def numbers(out: str) -> list[int]:
    return [int(number) for number in re.findall(r"^([0-9]+) ", out, re.MULTILINE)]


def test_the_list(run, runs, content) -> None:
    before = content()
    code, out, err = run("runs", "list", "--runs", runs)
    assert (code, err) == (0, "")
    head, first, second, more, third, last = out.splitlines()
    assert " ".join(head.split()) == "Run Start Duration Events Raw Title, state"
    assert re.fullmatch(
        r"1 +2026-01-31 12:00 +0:10:00 +502 +8\.0 kB +Cs-137 \[bold\]at 10 cm\[/\]",
        first.rstrip(),
    )
    assert second.rstrip().endswith("0:15:00     503  8.0 kB  NOT complete: 12 lost")
    assert more.strip() == "(and 2 more)"
    assert third.split()[0] == "3"
    assert third.rstrip().endswith("Co-60")
    assert last.strip() == "running"
    assert content() == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["list", "2"], [2]),
        (["list", "2-"], [2, 3]),
        (["list", "1-1", "3-9"], [1, 3]),
        (["list", "--last", "1"], [3]),
        (["list", "--state", "incomplete", "--state", "running"], [2, 3]),
        (["list", "--since", "2026-02-01", "--until", "2026-02-01"], [2]),
        (["list", "--until", "2026-01-31T11:59"], []),
        (["list", "--until", "2026-01-31"], [1]),
        (["list", "--module", "0/3"], [2]),
        (["list", "--task", "DummyData"], [1, 2]),
        (["list", "--min-mb", "0.007", "--max-mb", "1"], [1, 2]),
        (["list", "--min-s", "601", "--state", "incomplete"], [2]),
        (["search", "CS-137"], [1]),
        (["search", "cm", "10"], [1]),
        (["search", "cm", "--since", "2026-02-01"], []),
        (["search", "cable"], []),
    ],
)
def test_runs_are_found(run, runs, arguments, expected) -> None:
    code, out, err = run("runs", *arguments, "--runs", runs)
    assert (code, err) == (0, "")
    assert numbers(out) == expected
    if not expected:
        assert out == f"{runs}: none of its 3 runs is as asked for\n"
    document = json.loads(run("runs", *arguments, "--runs", runs, "--json")[1])
    assert [item["number"] for item in document["runs"]] == expected


def test_the_list_as_json(run, runs) -> None:
    document = json.loads(run("runs", "list", "--runs", runs, "--json")[1])
    assert (document["format"], document["directory"]) == (1, str(runs))
    second = document["runs"][1]
    assert second["state"] == "incomplete"
    assert second["reasons"] == ["12 lost", "cable", "x"]
    assert (second["bytes"], second["files"], second["events"]) == (8000, 2, 503)
    assert second["seconds"] == 900.0
    assert dt.datetime.fromisoformat(second["started"]) == DAY + dt.timedelta(days=1)


def test_the_environment_names_the_directory(run, runs, monkeypatch) -> None:
    monkeypatch.setenv("PIXIE_PIPE_RUNS", str(runs))
    assert numbers(run("runs", "list")[1]) == [1, 2, 3]


def test_the_directory_is_runs_by_default(run, runs, monkeypatch) -> None:
    monkeypatch.chdir(runs.parent)
    assert numbers(run("runs", "list")[1]) == [1, 2, 3]


def test_no_runs(run, tmp_path) -> None:
    assert run("runs", "list", "--runs", tmp_path)[:2] == (
        0,
        f"{tmp_path}: has no runs\n",
    )
    assert run("runs", "verify", "--runs", tmp_path)[:2] == (0, "there are no runs\n")


def test_one_run_with_everything(run, tmp_path) -> None:
    runs = tmp_path / "runs"
    made = RunDirectory.create(runs, title="Cs-137")
    (made.path / "events.h5").write_bytes(bytes(1234))
    made.finish(
        complete=False,
        reasons=["12 words lost"],
        pauses=[RunPause(DAY, DAY + dt.timedelta(minutes=1)), RunPause(DAY)],
        ended_by="limit: 500 events",
        outputs=["events.h5"],
    )
    made.add_comment("beam was off")
    code, out, err = run("runs", "show", 1, "--runs", runs)
    assert (code, err) == (0, "")
    for line in (
        r"^Title +Cs-137",
        r"^Because +12 words lost",
        r"^Ended by +limit: 500 events",
        r"^Paused +2026-01-31 12:00:00 - 2026-01-31 12:01:00",
        r"^ +2026-01-31 12:00:00 - the end",
        r"^Comments +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d beam was off",
        r"^events.h5 +1\.2 kB",
    ):
        assert re.search(line, out, re.MULTILINE), line


def test_what_modules_and_channels_counted(run, tmp_path) -> None:
    made = RunDirectory.create(tmp_path)
    made.finish(
        complete=True,
        statistics=[
            {
                "module": "c0-s02",
                "words_read": 12345,
                "words_lost": 67,
                "channels": [0, 12],
                "input_counts": [1000, 2000],
                "output_counts": [900, None],
                "live_time_s": [9.5, 9.25],
                "real_time_s": [10.0, 10.0],
                "input_rate_hz": [105.263, 216.216],
                "dead_percent": [14.5, None],
            },
            {"module": "c0-s03", "words_read": 5, "channels": []},
            {"module": "c0-s04"},
        ],
    )
    code, out, err = run("runs", "show", 1, "--runs", tmp_path)
    assert (code, err) == (0, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    first = lines.index("Modules")
    assert lines[first + 1 : first + 4] == [
        "Module Words read Words lost",
        "c0-s02 12 345 67",
        "c0-s03 5",
    ]
    first = lines.index("Channels with counts")
    assert lines[first + 1 : first + 4] == [
        "Module Channel Input Output Input/s Output/s Live s Real s Dead %",
        "c0-s02 0 1 000 900 105.3 9.500 10.000 14.50",
        "c0-s02 12 2 000 216.2 9.250 10.000",
    ]
    document = json.loads(run("runs", "show", 1, "--runs", tmp_path, "--json")[1])
    assert document["record"]["statistics"][0]["channels"] == [0, 12]


def test_one_run_as_json(run, runs) -> None:
    document = json.loads(run("runs", "show", "2", "--runs", runs, "--json")[1])
    assert document["path"] == str(runs / "0002")
    assert document["record"]["modules"] == [{"crate": 0, "slot": 3}]
    assert [item["words"] for item in document["record"]["files"]] == [1000, 1000]
    assert [item["name"] for item in document["other_files"]] == ["run.yaml"]
    out = run("runs", "show", "2", "--runs", runs)[1]
    assert re.search(
        r"^c0-s03-0001\.bin +c0-s03 +1 000 +4\.0 kB +[0-9a-f]{16}", out, re.MULTILINE
    )


def test_what_is_as_recorded(run, runs, content) -> None:
    before = content()
    code, out, err = run("runs", "verify", "--runs", runs)
    assert (code, err) == (0, "")
    assert [line.split(maxsplit=2)[2].strip() for line in out.splitlines()[1:]] == [
        "as recorded",
        "as recorded",
        "left out: it is running",
    ]
    document = json.loads(run("runs", "verify", "1", "--runs", runs, "--json")[1])
    assert document["good"]
    assert [file["finding"] for file in document["runs"][0]["files"]] == ["good"] * 2
    assert content() == before


def spoil(runs: Path, what: str) -> None:
    raw = runs / "0001" / "raw"
    path = raw / "c0-s02-0001.bin"
    data = bytearray(path.read_bytes())
    if what == "bit":
        data[1234] ^= 4
        path.write_bytes(data)
    elif what == "cut":
        path.write_bytes(data[:-4])
    elif what == "missing":
        path.unlink()
    elif what == "extra":
        (raw / "c0-s02-0002.bin").write_bytes(data)
    elif what == "list":
        sums = raw / "SHA256SUMS"
        sums.write_text(re.sub("^[0-9a-f]{64}", "0" * 64, sums.read_text()))
    elif what == "raw":
        raw.rename(runs / "elsewhere")


@pytest.mark.parametrize(
    ("what", "name", "finding", "detail"),
    [
        ("bit", "raw/c0-s02-0001.bin", "changed", "has the checksum "),
        ("cut", "raw/c0-s02-0001.bin", "changed", "has 3996 bytes, recorded were 4000"),
        ("missing", "raw/c0-s02-0001.bin", "missing", "4000 bytes were recorded"),
        ("extra", "raw/c0-s02-0002.bin", "extra", "the record does not tell of it"),
        ("list", "raw/c0-s02-0000.bin", "changed", "another checksum in SHA256SUMS"),
        ("raw", "raw/c0-s02-0000.bin", "missing", "4000 bytes were recorded"),
    ],
)
def test_what_is_not_as_recorded_is_told(
    run, runs, content, what, name, finding, detail
) -> None:
    spoil(runs, what)
    before = content()
    code, out, err = run("runs", "verify", "--runs", runs)
    assert code == 1
    assert "error: 1 of 3 runs are not as recorded" in err
    flat = " ".join(out.split())
    assert f"{name}: {finding}:" in flat
    code, out, _ = run("runs", "verify", "1-2", "--runs", runs, "--json")
    assert code == 1
    document = json.loads(out)
    assert not document["good"]
    assert [item["good"] for item in document["runs"]] == [False, True]
    (first, *_) = (f for f in document["runs"][0]["files"] if f["finding"] == finding)
    assert first["name"] == name
    assert detail in first["detail"]
    assert run("runs", "verify", "2", "--runs", runs)[0] == 0
    assert content() == before


def test_what_was_never_closed_cannot_be_checked(run, tmp_path) -> None:
    runs = tmp_path / "runs"
    made = RunDirectory.create(runs)
    recorder = RawRecorder(made.raw)
    recorder.write("c0-s02", np.zeros(10, np.uint32))
    made.finish(
        complete=False, reasons=["crash"], files=recorder.files, outputs=["a.h5"]
    )
    recorder.close()
    code, out, _ = run("runs", "verify", "--runs", runs, "--json")
    assert code == 1
    files = json.loads(out)["runs"][0]["files"]
    assert [(file["name"], file["finding"]) for file in files] == [
        ("raw/c0-s02-0000.bin", "unchecked"),
        ("a.h5", "missing"),
    ]
    (made.path / "a.h5").touch()
    code, out, _ = run("runs", "verify", "--runs", runs)
    assert code == 0
    assert "1 without a checksum" in out


def test_a_damaged_record_is_told_wherever_it_appears(run, runs) -> None:
    (runs / "0002" / "run.yaml").write_text("number: [")
    code, out, _ = run("runs", "list", "--runs", runs)
    assert code == 0
    assert "damaged: " in out
    assert numbers(out) == [1, 2, 3]
    for arguments in (
        ["show", "2"],
        ["verify"],
        ["verify", "2"],
        ["comment", "2", "x"],
    ):
        code, _, err = run("runs", *arguments, "--runs", runs)
        assert code == 1
        assert re.search(r"0002/run\.yaml:\d: is not YAML", err)


def test_a_comment(run, runs) -> None:
    code, out, err = run("runs", "comment", 2, "the beam was off", "--runs", runs)
    assert (code, err) == (0, "")
    assert re.fullmatch(
        rf"{runs}/0002: \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d the beam was off\n", out
    )
    code, out, _ = run(
        "runs", "comment", 3, "of a run that goes on", "--runs", runs, "--json"
    )
    assert code == 0
    document = json.loads(out)
    assert document["path"] == str(runs / "0003")
    assert document["comment"]["text"] == "of a run that goes on"
    assert numbers(run("runs", "search", "BEAM", "--runs", runs)[1]) == [2]
    record = RunDirectory.open(runs / "0002").record
    assert [comment.text for comment in record.comments] == ["the beam was off"]
    assert record.reasons == ("12 lost", "cable", "x")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["list", "--runs", "nowhere"], "nowhere: there is no such directory of runs"),
        (["show", "1", "--runs", "nowhere"], "there is no such directory of runs"),
        (["show", "9"], "there is no run 9; its 3 runs have numbers from 1 to 3"),
        (["verify", "1", "7-9"], "there is no run 7-9; its 3 runs have numbers"),
        (["comment", "9", "x"], "there is no run 9"),
        (["comment", "1", " "], "the comment is empty"),
        (["search"], "no text was given"),
        (["list", "one"], "'one' is no number of a run, expected a number or a range"),
        (
            ["list", "--since", "yesterday"],
            "--since yesterday: expected a date or a ti",
        ),
        (["list", "--until", "9999-12-31"], "--until 9999-12-31: is too far from now"),
        (["list", "--module", "2"], "--module 2: expected crate/slot, such as 0/2"),
        (["list", "--min-mb", "-1"], "Must be >= 0"),
        (["list", "--state", "good"], "good"),
        (["remove", "1"], "remove"),
    ],
)
def test_wrong_usage(run, runs, monkeypatch, arguments, text) -> None:
    monkeypatch.setenv("PIXIE_PIPE_RUNS", str(runs))
    code, out, err = run("runs", *arguments)
    assert (code, out) == (2, "")
    assert text in " ".join(err.split())


@pytest.mark.parametrize("name", ["list", "show", "search", "verify", "comment"])
def test_help_has_an_example(run, name) -> None:
    code, out, _ = run("runs", name, "--help")
    assert code == 0
    assert f"Usage: pixie-pipe runs {name}" in out
    assert f"Example: pixie-pipe runs {name}" in out


def test_progress_on_a_terminal(command, runs) -> None:
    line = command("runs", "verify", "--runs", runs)
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    child = pexpect.spawn(
        line["args"][0], line["args"][1:], env=environment, encoding="utf-8", timeout=60
    )
    out = child.read()
    child.close()
    assert child.exitstatus == 0
    assert "verifying" in out
    assert "16.0" in out
