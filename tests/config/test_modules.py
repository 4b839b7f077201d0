"""Modules from YAML and from the command line: what is accepted, what is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixie_pipe.config import ConfigError, load_modules, parse_module

EXAMPLE = Path(__file__).parents[2] / "configs" / "modules.yaml"


def written(folder: Path, text: str) -> Path:
    path = folder / "modules.yaml"
    path.write_text(text)
    return path


def test_the_example() -> None:
    modules = load_modules(EXAMPLE)
    assert [module.module for module in modules] == [(0, 2), (0, 3), (0, 4)]
    assert [module.layout.name for module in modules] == [
        "500-34688",
        "250-34688",
        "500-34688-H",
    ]
    assert modules[2].layout.tick_ps == 8000


def test_files_are_relative_to_the_configuration(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "modules:\n"
        "  - {crate: 0, slot: 2, frequency: 500, revision: 34688, files: [a*.bin]}\n",
    )
    assert load_modules(path)[0].files == [str(tmp_path / "a*.bin")]


GOOD = "  - {crate: 0, slot: 2, frequency: 500, revision: 34688}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "modules.yaml:1: is empty"),
        ("modules: [", "modules.yaml:1: is not YAML"),
        ("# one\n\nmodules:\n\t- x\n", "modules.yaml:4: is not YAML"),
        ("mdules: []\n", ":1: mdules: .*did you mean 'modules'"),
        ("modules: []\n", r":1: modules: List should have at least 1 item"),
        ("modules:\n" + GOOD + "modules:\n" + GOOD, ":3: modules: stands twice"),
        ("modules:\n" + 2 * GOOD, r":3: modules\[1\]: module 0/2 is listed twice"),
        (
            "modules:\n" + GOOD + "  - crate: 0\n    slot: 3\n    frequncy: 250\n",
            r":5: modules\[1\]\.frequncy: .*did you mean 'frequency'.*problem 1 of 3",
        ),
        (
            (
                "modules:\n  - crate: 0\n    slot: two\n    frequency: 500\n"
                "    revision: 34688\n"
            ),
            r":3: modules\[0\]\.slot: Input should be a valid integer.*got 'two'",
        ),
        (
            "modules:\n  - {crate: 0, slot: 2, frequency: 500, revision: 1}\n",
            r":2: modules\[0\]: no layout for 500 MSPS, firmware revision 1",
        ),
        (
            (
                "modules:\n  - {crate: 0, slot: 2, frequency: 500, revision: 34688, "
                "override: {tick: 1}}\n"
            ),
            r":2: modules\[0\]: a layout has no field 'tick'",
        ),
        (
            "modules:\n  - {crate: 0, slot: 012, frequency: 500, revision: 34688}\n",
            r":2: modules\[0\]\.slot: 012 would be read as 10; write that",
        ),
        ("schema_version: 2\nmodules:\n" + GOOD, ":1: schema_version: "),
        ("- 1\n", ":1: Input should be a valid dictionary"),
        ("a: &x !!python/object:os.system {}\n", ":1: is not YAML"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_modules(written(tmp_path, text))


def test_an_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_modules(tmp_path / "absent.yaml")


def test_short_form() -> None:
    module = parse_module(" 0/2:250/46540/F ")
    assert module.module == (0, 2)
    assert module.layout.name == "250-34688"
    assert parse_module("1/14:100/17562").layout.name == "100-17562"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0/2", "expected crate/slot:frequency/revision, such as 0/2:500/34688"),
        ("0/2:500/34688/F/x", "expected crate/slot"),
        ("0/99:500/34688", "slot: Input should be less than or equal to 15"),
        ("0/2:75/34688", "no layout for 75 MSPS"),
        ("0/2:500/34688/Z", "unknown hardware revision 'Z'"),
    ],
)
def test_wrong_short_forms(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_module(text)
