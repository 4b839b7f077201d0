from __future__ import annotations

import numpy as np
import pytest

from pixie_pipe.events import Events
from pixie_pipe.listmode.result import REJECTED
from pixie_pipe.pipeline.data import Chunk, Kind, Rejected, Stream, StreamMark, Words
from pixie_pipe.tasks.print_data import PrintData, summary
from tests.storage.runs import LAYOUT

STREAM = Stream("Source", 0, "c0-s02", LAYOUT.to_dict())
WORDS = np.arange(12_000, dtype=np.uint32)
REJECTIONS = np.array([(30, 12, 1), (90, 3, 1)], REJECTED)
EVENTS = Events(
    {
        "crate": [0, 0],
        "slot": [2, 2],
        "channel": [1, 4],
        "energy": [100, 200],
        "time_ps": [2_000_000_000_000, 1_500_000_000_000],
    }
)


@pytest.mark.parametrize(
    ("datum", "text"),
    [
        (EVENTS, "2 events, 2 channels, 1.500000 to 2.000000 s, mean energy 150"),
        (EVENTS[:0], "0 events"),
        (EVENTS.without("energy", "time_ps", "slot"), "2 events"),
        (
            Words(WORDS, STREAM, 48_000),
            "12 000 words of Source/c0-s02, from word 48 000 on",
        ),
        (
            Chunk(WORDS, STREAM, 8, b"", 2000, final=True),
            "chunk of 10 000 words of Source/c0-s02, from word 8 on, the last",
        ),
        (
            Rejected(REJECTIONS, STREAM),
            "15 rejected words of Source/c0-s02, from word 30 on",
        ),
        (StreamMark(STREAM), "Source/c0-s02 begins"),
        (StreamMark(STREAM, ended=True), "Source/c0-s02 ends"),
        (
            np.arange(10, dtype=np.int16).reshape(2, 5),
            "array of int16, shape (2, 5): [0, 1, 2, 3, 4, 5, ...]",
        ),
        ({"a": 1}, "{'a': 1}"),
    ],
)
def test_each_kind_of_data_has_a_line(datum, text):
    assert summary(datum).replace("\N{THIN SPACE}", " ") == text.replace(
        "\N{THIN SPACE}", " "
    )


def test_a_line_is_short():
    assert len(summary(["word"] * 1000)) < 210


def test_one_datum_in_a_period_is_printed(drive, monkeypatch):
    now = [5.0]
    monkeypatch.setattr("pixie_pipe.tasks.print_data.time.monotonic", lambda: now[0])
    show = drive(PrintData, period_s=2).start()
    for value in range(5):
        show.work([value])
        now[0] += 1
    assert show.prints == ["1: [0]", "3: [2]", "5: [4]"]
    assert show.task.statistics["data"] == 5


def test_it_reads_every_kind_of_data():
    assert {port.kind for port in PrintData.reads} == set(Kind)
