from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.events import Events
from pixie_pipe.listmode import ChunkCutter, decode, encode
from pixie_pipe.pipeline.data import Chunk, Rejected, Stream
from pixie_pipe.pipeline.parameters import ParameterError
from pixie_pipe.tasks.convert_to_events import ConvertToEvents
from tests.storage.runs import LAYOUT, MIXED, OTHER, some_events
from tests.support.chunks import cut_up, damaged_words


def chunks_of(words, feeds, *, number=0, layout=LAYOUT, trailing=b""):
    """Cut words into chunks that end after these words."""
    stream = Stream("Source", number, f"m{number}", layout.to_dict())
    for cut in cut_up(words, layout, feeds, range(len(feeds))):
        yield Chunk(
            cut.words,
            stream,
            cut.offset,
            cut.state,
            cut.look_ahead,
            final=cut.final,
            trailing=trailing if cut.final else b"",
        )


@given(damaged_words(LAYOUT), st.data())
def test_events_tallies_and_ledger_are_those_of_the_whole_stream(drive, words, data):
    feeds = data.draw(st.lists(st.integers(0, words.size), max_size=5))
    convert = drive(ConvertToEvents).start()
    sent = convert.work(*chunks_of(words, feeds))
    whole = decode(words, LAYOUT)
    events = [datum for datum in sent if isinstance(datum, Events)]
    assert all(len(batch) for batch in events)
    if events:
        assert Events.concatenate(events).equals(whole.events)
    rejected = [datum for datum in sent if isinstance(datum, Rejected)]
    assert all(datum.rows.size for datum in rejected)
    balance = whole.balance
    assert sum(int(d.rows["word_count"].sum()) for d in rejected) == balance.rejected
    expected = [balance.decoded, balance.rejected, balance.leftover, len(whole.events)]
    assert list(convert.task.ledger.values()) == expected
    if words.size:
        tally = convert.tallies["Source", 0]
        counts = [tally.decoded, tally.rejected, tally.leftover, tally.events]
        assert counts == expected


def test_the_ledger_begins_with_zeros(drive):
    ledger = drive(ConvertToEvents).start().task.ledger
    assert ledger == {
        "words_decoded": 0,
        "words_rejected": 0,
        "words_leftover": 0,
        "events_decoded": 0,
    }


def test_an_empty_last_chunk_only_counts_its_bytes(drive):
    convert = drive(ConvertToEvents).start()
    stream = Stream("Source", 3, "m", LAYOUT.to_dict())
    last = Chunk(np.zeros(0, np.uint32), stream, 8, b"", final=True, trailing=b"abc")
    assert convert.work(last) == []
    assert convert.tallies["Source", 3].trailing_bytes == 3


def test_each_stream_is_decoded_with_its_own_layout(drive):
    convert = drive(ConvertToEvents).start()
    one, two = some_events(50), some_events(50, 2, OTHER)
    sent = convert.work(
        *chunks_of(encode(one, LAYOUT), []),
        *chunks_of(encode(two, OTHER), [], number=1, layout=OTHER),
    )
    assert sent[0].equals(decode(encode(one, LAYOUT), LAYOUT).events)
    assert sent[1].equals(decode(encode(two, OTHER), OTHER).events)
    # The next run may have other settings under the same number.
    convert.start()
    sent = convert.work(*chunks_of(encode(two, OTHER), [], layout=OTHER))
    assert len(sent[0]) == 50


def test_the_settings_of_the_stream_are_used(drive):
    words = encode(some_events(50, modules=[(0, 2)]), LAYOUT)
    stream = Stream("Source", 0, "m", LAYOUT.to_dict(), modules=((0, 5),))
    cutter = ChunkCutter(LAYOUT, modules=[(0, 5)])
    cutter.feed(words)
    cut = cutter.finish()
    assert cut is not None
    chunk = Chunk(cut.words, stream, 0, cut.state, final=True)
    (rejected,) = drive(ConvertToEvents).start().work(chunk)
    assert rejected.rows["word_count"].sum() == words.size
    assert rejected.stream.key == stream.key


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        (["core"], lambda names: "qdc" not in names and "crate" in names),
        (["core", "qdc"], lambda names: "qdc_valid" in names and "qdc" in names),
        (["energy", "time_ps"], lambda names: names == ("energy", "time_ps")),
        (
            ["trace_samples"],
            lambda names: names == ("trace_length", "trace_offsets", "trace_samples"),
        ),
    ],
)
def test_only_what_is_asked_for_is_kept(drive, keep, expected):
    words = encode(some_events(100, **MIXED), LAYOUT)
    convert = drive(ConvertToEvents, keep=keep).start()
    (events,) = convert.work(*chunks_of(words, []))
    assert expected(events.columns)
    assert len(events) == 100
    assert convert.task.ledger["events_decoded"] == 100


def test_unknown_columns_cannot_be_kept(drive):
    with pytest.raises(
        ParameterError,
        match=r"ConvertToEvents\.keep has 'energie'.*did you mean.*'energy'",
    ):
        drive(ConvertToEvents, keep=["energie"])
    with pytest.raises(ParameterError, match="is empty"):
        drive(ConvertToEvents, keep=[])
