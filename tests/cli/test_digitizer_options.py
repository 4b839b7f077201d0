"""Which digitizer is meant: by its name, or by the configuration of a pipeline."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import DRIVERS

CONFIG = """
schema_version: 1
tasks:
  - task: TakeData
    driver: fake_crate
    driver_path: [{path}]
    options: {{modules: 1, channels: 3}}
  - task: GatherData
"""


@pytest.fixture
def config(tmp_path, crate):
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.format(path=DRIVERS))
    return path


def modules_of(run, *options):
    code, out, err = run("modules", "--json", *options)
    assert (code, err) == (0, "")
    return json.loads(out)["modules"]


def test_modules_by_the_name_of_the_driver(run, crate):
    first, second = modules_of(run, *crate)
    assert first == {
        "module": 0,
        "name": "c0-s02",
        "crate": 0,
        "slot": 2,
        "frequency": 250,
        "bits": 14,
        "revision": 34688,
        "hardware": None,
        "serial": 1000,
        "channels": 4,
        "layout": "250-34688",
    }
    assert second["serial"] == 1001


def test_the_table_of_modules_fits_a_terminal(run, crate):
    code, out, err = run("modules", *crate)
    assert (code, err) == (0, "")
    head, first, second = out.splitlines()
    assert head.split()[:4] == ["Name", "Crate", "Slot", "MSPS"]
    assert first.split() == [
        "0",
        "c0-s02",
        "0",
        "2",
        "250",
        "14",
        "34688",
        "?",
        "1000",
        "4",
        "250-34688",
    ]
    assert second.split()[1] == "c0-s03"


def test_options_of_the_driver_are_yaml(run, crate):
    (only,) = modules_of(run, *crate, "--option", "modules=1", "--option", "channels=8")
    assert only["channels"] == 8
    options = ("--option", "modules=0")
    assert run("modules", *crate, *options)[1] == "the driver finds no modules\n"


def test_a_built_in_driver(run, sample_file):
    (only,) = modules_of(
        run,
        "--driver",
        "recorded",
        *("--option", f"files={sample_file}"),
        *("--option", "frequency=500", "--option", "revision=34688"),
    )
    assert (only["slot"], only["serial"]) == (2, None)


def test_the_driver_of_a_configuration(run, config):
    (only,) = modules_of(run, "--config", config)
    assert only["channels"] == 3
    (only,) = modules_of(run, "-c", config, "--option", "channels=2")
    assert only["channels"] == 2


def test_one_of_several_tasks(run, config):
    config.write_text(
        config.read_text().replace(
            "  - task: GatherData",
            "  - {task: TakeData, name: other, driver: recorded}\n  - task: GatherData",
        )
    )
    code, out, err = run("modules", "-c", config)
    assert (code, out) == (2, "")
    assert "TakeData, other" in err
    assert "--task" in err
    assert modules_of(run, "-c", config, "--task", "TakeData")
    assert "'nobody' is none" in run("modules", "-c", config, "--task", "nobody")[2]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "Give --driver NAME (known: "),
        (["--driver", "recoded"], "did you mean 'recorded'"),
        (["--driver", "fake_crate", "--option", "modules"], "expected KEY=VALUE"),
        (["--driver", "fake_crate", "--option", "colour=red"], "unexpected keyword"),
        (["--driver", "fake_crate", "--option", "a=[1"], "is not YAML"),
        (["--driver", "recorded", "--option", "speed=-1"], "expected 1 (as recorded)"),
        (["--driver-path", "nowhere"], "nowhere: is no directory"),
        (["--driver", "recorded", "--task", "x"], "--task goes with --config"),
    ],
)
def test_wrong_options(run, crate, arguments, text):
    code, out, err = run("modules", *crate[2:], *arguments)
    assert (code, out) == (2, "")
    assert text in " ".join(err.split())


def test_a_driver_and_a_configuration_are_too_much(run, config):
    code, _, err = run("modules", "-c", config, "--driver", "recorded")
    assert code == 2
    assert "give one" in err


def test_a_configuration_without_a_driver(run, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("schema_version: 1\ntasks:\n  - task: DummyData\n")
    code, _, err = run("modules", "-c", config)
    assert code == 2
    assert "no task in it has a driver" in err


def test_a_driver_that_cannot_be_opened_is_a_failure(run):
    code, _, err = run("modules", "--driver", "recorded")
    assert code in {1, 2}
    assert err.startswith("pixie-pipe: error: ")
    assert "fault of pixie_pipe" not in err
