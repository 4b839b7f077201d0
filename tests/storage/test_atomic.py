"""Outputs appear whole or not at all, and never over another file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pixie_pipe.storage.atomic import OutputExistsError, OutputPathError, new_file


def test_the_name_appears_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with new_file(target) as opened:
        opened.path.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [target]


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    with new_file(tmp_path / "out"):
        pass
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("force", [False, True])
def test_nothing_remains_after_an_error(tmp_path: Path, error, force) -> None:
    target = tmp_path / "out"
    if force:
        target.write_text("old")

    def write() -> None:
        with new_file(target, force=force) as opened:
            opened.path.write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"] * force


def test_an_existing_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("old")
    with pytest.raises(OutputExistsError, match=r"out: exists already .* --force"):
        new_file(target).__enter__()
    assert target.read_text() == "old"
    with new_file(target, force=True) as opened:
        opened.path.write_text("new")
    assert target.read_text() == "new"


def test_a_dangling_link_is_a_file_that_exists(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputExistsError):
        new_file(tmp_path / "out").__enter__()


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_meanwhile_is_kept(
    tmp_path: Path, links, monkeypatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", _no_links)
    target = tmp_path / "out"

    def write() -> None:
        with new_file(target) as opened:
            opened.path.write_text("mine")
            target.write_text("theirs")

    with pytest.raises(OutputExistsError):
        write()
    assert target.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_system_without_links(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(os, "link", _no_links)
    with new_file(tmp_path / "out") as opened:
        opened.path.write_text("whole")
    assert (tmp_path / "out").read_text() == "whole"
    assert len(list(tmp_path.iterdir())) == 1


def _no_links(*_arguments, **_options):
    raise PermissionError(1, "Operation not permitted")


def test_places_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(OutputPathError, match="is a directory"):
        new_file(tmp_path, force=True).__enter__()
    with pytest.raises(OutputPathError, match=r"directory .* does not exist"):
        new_file(tmp_path / "absent" / "out").__enter__()
    with pytest.raises(OutputPathError, match="no regular file"):
        new_file(Path("/dev/null"), force=True).__enter__()


def test_an_interrupted_process_leaves_nothing(tmp_path: Path) -> None:
    program = f"""
        import time
        from pathlib import Path
        from pixie_pipe.storage.atomic import new_file
        with new_file(Path({str(tmp_path / "out")!r})) as opened:
            opened.path.write_text("half")
            print("ready", flush=True)
            time.sleep(60)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        process.wait(30)
    assert list(tmp_path.iterdir()) == []
