"""Layouts: the table, finding, overriding, storing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pixie_pipe.listmode import BitField, Layout, LayoutError
from tests.support.listmode_oracle import GENERATIONS


@pytest.mark.parametrize("row", GENERATIONS)
def test_all_generations_of_the_sdk(row: tuple[int, int, int | None]) -> None:
    frequency, first, end = row[:3]
    last = first + 5000 if end is None else end - 1
    for revision in (first, last):
        layout = Layout.find(frequency=frequency, revision=revision)
        assert layout.name == f"{frequency}-{first}"
        assert layout.revision == revision
        assert layout.unsettled == ()
        assert layout.external_timestamps == (revision >= 30980)


@pytest.mark.parametrize(
    ("frequency", "revision"),
    [(100, 17561), (250, 20465), (500, 29431), (75, 40000), (125, 30000)],
)
def test_an_unknown_combination_lists_the_known_ones(
    frequency: int, revision: int
) -> None:
    with pytest.raises(LayoutError) as caught:
        Layout.find(frequency, revision)
    text = str(caught.value)
    assert f"{frequency} MSPS, firmware revision {revision}" in text
    for layout in Layout.known():
        assert layout.name in text


@pytest.mark.parametrize(
    ("frequency", "revision", "hardware", "name", "channel_bits"),
    [
        (250, 46540, None, "250-46540", 6),
        (250, 46540, "H", "250-46540", 6),
        (250, 49064, "F", "250-34688", 4),
        (250, 49064, 15, "250-34688", 4),
        (500, 46540, "h", "500-34688-H", 6),
        (500, 46540, 17, "500-34688-H", 6),
        (500, 46540, None, "500-34688", 4),
        (100, 46540, "H", "100-34688-H", 6),
        (125, 46540, None, "125-34688-H", 6),
        (100, 34688, "C", "100-34688", 4),
    ],
)
def test_hardware_revisions(
    frequency: int,
    revision: int,
    hardware: str | int | None,
    name: str,
    channel_bits: int,
) -> None:
    layout = Layout.find(frequency, revision, hardware)
    assert layout.name == name
    assert layout.channel.width == channel_bits


def test_what_is_unsettled_is_marked_until_it_is_set() -> None:
    layout = Layout.find(500, 46540, "H")
    assert "tick_ps" in layout.unsettled
    assert "unsettled: channel" in str(layout)
    settled = layout.override(tick_ps=8000)
    assert settled.tick_ps == 8000
    assert "tick_ps" not in settled.unsettled
    assert layout.tick_ps == 10_000


def test_hardware_as_it_comes_from_a_command_line() -> None:
    assert Layout.find(250, 49064, "15") == Layout.find(250, 49064, 15)


def test_unknown_hardware() -> None:
    with pytest.raises(LayoutError, match=r"'Z'; known: B \(11\)"):
        Layout.find(500, 34688, "Z")
    with pytest.raises(LayoutError, match="unknown hardware revision 3"):
        Layout.find(500, 34688, 3)


def test_named() -> None:
    assert Layout.named("250-30474") == Layout.find(250, 30474)
    with pytest.raises(LayoutError, match="did you mean '500-34688'"):
        Layout.named("500-34689")


def test_override_checks_what_it_is_given() -> None:
    layout = Layout.find(500, 34688)
    with pytest.raises(LayoutError, match="did you mean 'tick_ps'"):
        layout.override(tick=1)
    with pytest.raises(LayoutError, match=r"energy is .* expected a width of 1 to 16"):
        layout.override(energy=(3, 0, 17))
    with pytest.raises(LayoutError, match="bits 0 to 31 of a word"):
        layout.override(energy=(3, 20, 16))
    with pytest.raises(LayoutError, match=r"expected \(word, shift, width\)"):
        layout.override(energy=5)
    with pytest.raises(LayoutError, match="a whole number from 1 to 32767"):
        layout.override(tick_ps=0)
    assert layout.override(energy=[3, 0, 12]).energy == BitField(3, 0, 12)


@pytest.mark.parametrize(
    "fields",
    [
        {"tick_ps": 40_000},
        {"tick_ps": 10_000.5},
        {"cfd_source_offset": 3_000_000},
        {"cfd_source_step": 0.5},
        {"cfd_source": (2, 0, 2)},
        {"cfd_source": (2, 29, 0), "cfd_failed_source": 0},
        {"cfd_failed_source": 8},
        {"slots": (14, 2)},
        {"slots": (0, 4, 9)},
        {"slots": (-3, 5)},
        {"out_of_range": (3, 31, 0)},
        {"energy": (3, 32, 1)},
        {"energy": ("a", 1, 2)},
    ],
    ids=str,
)
def test_what_the_decoder_could_not_read_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(LayoutError):
        Layout.find(500, 34688).override(**fields)


@pytest.mark.parametrize("layout", Layout.known(), ids=lambda layout: layout.name)
def test_survives_json(layout: Layout) -> None:
    assert Layout.from_dict(json.loads(json.dumps(layout.to_dict()))) == layout


def test_a_wrong_description_is_refused() -> None:
    values = Layout.find(500, 34688).to_dict()
    del values["energy"]
    with pytest.raises(LayoutError, match="energy"):
        Layout.from_dict(values)
