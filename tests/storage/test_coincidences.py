"""Coincidences come back from files, some or all, as they were."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixie_pipe.coincidences import Coincidences
from pixie_pipe.events import Events
from pixie_pipe.kernels.coincidences import CoincidenceBuilder
from pixie_pipe.storage import CoincidenceFile, Hdf5Writer, coincidences
from pixie_pipe.storage.hdf5_reader import Hdf5Error
from tests.storage.runs import some_events
from tests.support.coincidence_draws import definitions, tables

CORE = some_events(1)


def with_core(events: Events) -> Events:
    """Add the columns that files need; their values do not matter."""
    more = {
        name: np.repeat(CORE[name], len(events))
        for name in CORE.columns
        if name not in events.columns
    }
    return events.with_columns(**more)


def stored(path, *batches: Events):
    with Hdf5Writer(path, force=True) as writer:
        for batch in batches:
            writer.write(batch)
    return path


@settings(max_examples=30)  # files take long
@given(
    tables(), definitions(), st.integers(1, 40), st.lists(st.integers(0, 9), max_size=3)
)
def test_they_are_those_of_the_whole_file(
    tmp_path_factory, events, definition, piece, cuts
):
    builder = CoincidenceBuilder(definition)
    parts = [*builder.add(with_core(events)), *builder.finish()]
    whole = Events.concatenate(parts) if parts else with_core(events)
    if "coincidence" not in whole.columns:
        whole = Events.empty(["coincidence"])
    path = stored(tmp_path_factory.mktemp("files") / "events.h5", whole)
    delays = {str(channels): ps / 1000 for channels, ps in definition.delays_ps}
    expected = Coincidences.from_events(whole, delays_ns=delays)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coincidences, "_PIECE_ROWS", piece)
        file = CoincidenceFile(path, delays_ns=delays)
    assert len(file) == len(expected)
    assert file.index["multiplicity"].tolist() == expected.multiplicity.tolist()
    edges = sorted({0, *cuts, len(file)})
    for first, behind in pairwise(edges):
        some, same = file[first:behind], expected[first:behind]
        for name in ("numbers", "multiplicity", "dt_ps", "span_ps"):
            assert getattr(some, name).tolist() == getattr(same, name).tolist()
        assert some.all_events[some.rows].equals(whole[same.rows])
    sizes = [len(part) for part in file.parts(2)]
    assert sum(sizes) == len(file)
    assert set(sizes[:-1]) <= {2}


def test_only_what_is_asked_for_is_read(tmp_path):
    events = (
        some_events(30)
        .sort()
        .with_columns(
            coincidence=np.repeat([0, 7, 0, 9, 9, 0], 5),
            coincidence_reference=np.zeros(30, bool),
        )
    )
    file = CoincidenceFile(stored(tmp_path / "a.h5", events), columns=["energy"])
    assert repr(file) == f"<CoincidenceFile '{tmp_path / 'a.h5'}': 2 coincidences>"
    assert file.index.tolist() == [(7, 5, 9, 5), (9, 15, 24, 10)]
    found = file[1:]
    assert found.all_events.columns == (
        "energy",
        "time_ps",
        "coincidence",
        "coincidence_reference",
    )
    assert found.events(0).energy.tolist() == events.energy[15:25].tolist()
    assert len(file[5:]) == 0
    with pytest.raises(TypeError, match=r"slices such as file\[0:1000\]"):
        file[1]  # type: ignore[index]
    with pytest.raises(Hdf5Error, match="step of 2"):
        file[::2]


def test_a_file_without_coincidences_says_how_to_get_some(tmp_path):
    path = stored(tmp_path / "a.h5", some_events(5))
    with pytest.raises(Hdf5Error, match="has no coincidences; the task Build"):
        CoincidenceFile(path)
