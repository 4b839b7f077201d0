"""The command convert; what it writes is tested with the storage."""

from __future__ import annotations

import numpy as np
import pytest

from pixie_pipe.storage import read_hdf5

MODULE = ("--frequency", "500", "--revision", "34688")


@pytest.fixture
def output(tmp_path):
    return tmp_path / "events.h5"


def test_to_hdf5(run, sample_file, output):
    code, out, err = run("convert", sample_file, *MODULE, "-o", output)
    assert (code, err) == (0, "")
    assert f"{output}: 5 000 events of module 0/2, " in out
    assert "0 rejected + 0 left over" in out
    assert len(read_hdf5(output)) == 5000


def test_quiet(run, sample_file, output):
    assert run("convert", sample_file, *MODULE, "-o", output, "-q") == (0, "", "")


def test_an_existing_output_is_left_alone(run, sample_file, output):
    output.write_bytes(b"mine")
    code, out, err = run("convert", sample_file, *MODULE, "-o", output)
    assert (code, out) == (1, "")
    assert "--force" in err
    assert output.read_bytes() == b"mine"
    assert run("convert", sample_file, *MODULE, "-o", output, "--force")[0] == 0


def test_an_unknown_ending(run, sample_file, tmp_path):
    code, _, err = run("convert", sample_file, *MODULE, "-o", tmp_path / "events.txt")
    assert code == 2
    assert ".h5" in err


def test_lost_data_are_noted_even_when_quiet(run, sample_file, tmp_path, output):
    path = tmp_path / "cut.bin"
    path.write_bytes(sample_file.read_bytes()[:-2])
    code, out, err = run("convert", path, *MODULE, "-o", output, "--quiet")
    assert (code, out) == (0, "")
    assert err.startswith(f"pixie-pipe: note: {path}: ")


def test_modules_by_option(run, sample_file, output):
    code, out, _ = run(
        "convert", sample_file, "--module", "0/2:500/34688", "-o", output
    )
    assert code == 0
    assert "module 0/2" in out
    output.unlink()
    twice = ("--module", "0/2:500/34688") * 2
    code, _, err = run("convert", sample_file, *twice, "-o", output)
    assert code == 2
    assert "module 0/2 is given twice" in err


def test_modules_by_yaml(run, sample_file, tmp_path, output):
    config = tmp_path / "modules.yaml"
    config.write_text(
        "modules:\n  - {crate: 0, slot: 2, frequency: 500, revision: 34688}\n"
    )
    arguments = ("convert", sample_file, "--modules", config, "-o", output)
    assert run(*arguments)[0] == 0
    assert np.all(read_hdf5(output).slot == 2)
    config.write_text("modules:\n  - {crate: 0, slt: 2}\n")
    code, _, err = run(*arguments, "--force")
    assert code == 2
    assert f"{config}:2" in err
