"""Spectra: filled in any batches, added, and as boost-histogram and hist have them."""

from __future__ import annotations

import boost_histogram as bh
import hist
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixie_pipe.events import Events, EventsError
from pixie_pipe.spectra import Spectra, SpectraError, check_declarations
from pixie_pipe.spectra.matrix import MOST_MEMBERS

A, B, C = "c0-s02-ch00", "c0-s02-ch01", "c0-s03-ch00"
NUMBERS = {A: (0, 2, 0), B: (0, 2, 1), C: (0, 3, 0)}
ALL_KINDS = [
    {"kind": "spectrum", "bins": 64},
    {"kind": "spectrum", "name": "some", "range": [10, 60_000], "bins": 100,
     "channels": ["c0-s02"], "gate": {"pileup": False, "energy": [100, None]}},
    {"kind": "spectrum", "name": "kev", "column": "energy_kev", "bins": 50,
     "range": [0, 3000]},
    {"kind": "rate", "bins": 20, "range": [0, 1e-6]},
    {"kind": "time_difference", "channels": [A, B], "bins": 40, "range": [-3, 20],
     "window_ns": 4},
    {"kind": "matrix", "bins": 16, "y": [B, C], "x": [A]},
    {"kind": "matrix", "name": "symmetric", "column": "energy_kev", "bins": 8,
     "range": [0, 2000]},
]  # fmt: skip


def random_events(count, seed=1, *, step_ps=3000):
    rng = np.random.default_rng(seed)
    chosen = np.array(list(NUMBERS.values()), np.uint8)[rng.integers(0, 3, count)]
    kev = rng.uniform(-50, 3200, count).astype(np.float32)
    kev[rng.random(count) < 0.1] = np.nan
    coincidence = np.cumsum(rng.random(count) < 0.3)
    coincidence[rng.random(count) < 0.2] = 0
    return Events(
        {
            "crate": chosen[:, 0],
            "slot": chosen[:, 1],
            "channel": chosen[:, 2],
            "energy": rng.integers(0, 65536, count).astype(np.uint16),
            "time_ps": np.cumsum(rng.integers(0, step_ps, count)),
            "pileup": rng.random(count) < 0.2,
            "energy_kev": kev,
            "coincidence": coincidence,
            "coincidence_reference": np.zeros(count, np.bool_),
        }
    )


EVENTS = random_events(3000)


def filled(events, declarations=ALL_KINDS, cuts=()):
    spectra = Spectra(declarations)
    ends = sorted({*cuts, len(events)})
    for first, last in zip([0, *ends], ends, strict=False):
        spectra.fill(events[first:last])
    spectra.finish()
    return spectra


def of(events, *names):
    mask = np.zeros(len(events), bool)
    for name in names:
        crate, slot, channel = NUMBERS[name]
        mask |= (
            (events.crate == crate)
            & (events.slot == slot)
            & (events.channel == channel)
        )
    return events[mask]


WHOLE = filled(EVENTS)


def assert_same(one, other):
    assert one.events == other.events
    for name in one.names:
        first, second = one[name], other[name]
        assert first.left_out == second.left_out
        if hasattr(first, "channels"):
            assert sorted(first.channels) == sorted(second.channels)
            for channel in first.channels:
                mine = first.counts[first.row(channel)]
                assert mine.tolist() == second.counts[second.row(channel)].tolist()
        else:
            assert first.counts.tolist() == second.counts.tolist()


def test_spectra_of_channels_are_what_boost_histogram_fills():
    for name, column, regular in [
        ("spectrum", "energy", (64, 0, 65536)),
        ("kev", "energy_kev", (50, 0, 3000)),
        ("rate", "time_ps", (20, 0, 1e-6)),
    ]:
        assert sorted(WHOLE[name].channels) == [A, B, C]
        for channel in (A, B, C):
            values = of(EVENTS, channel)[column].astype(np.float64)
            expected = bh.Histogram(
                bh.axis.Regular(*regular), storage=bh.storage.Int64()
            ).fill(values * 1e-12 if column == "time_ps" else values)
            found = WHOLE[name].boost(channel)
            assert found.axes[0].edges.tolist() == expected.axes[0].edges.tolist()
            assert found.view(flow=True).tolist() == expected.view(flow=True).tolist()
            assert WHOLE[name].counts[WHOLE[name].row(channel)].sum() == values.size


def test_gates_and_channels_choose():
    events = of(EVENTS, A, B)
    events = events[~events.pileup & (events.energy >= 100)]
    some = WHOLE["some"]
    assert sorted(some.channels) == [A, B]
    assert some.total == len(events)
    expected = np.histogram(of(events, A).energy, 100, (10, 60_000))[0]
    # numpy has the last edge in the last bin.
    assert some[A][:-1].tolist() == expected[:-1].tolist()
    outside = (events.energy < 10) | (events.energy >= 60_000)
    assert some.outside == np.count_nonzero(outside)


def test_time_differences_to_the_nearest():
    first, second = (of(EVENTS, name).time_ps.tolist() for name in (A, B))
    nearest = [
        min((t - start for t in second), key=lambda d: (abs(d), d)) for start in first
    ]
    within = [d / 1000 for d in nearest if abs(d) <= 4_000]
    axis = bh.axis.Regular(40, -3, 20)
    expected = bh.Histogram(axis, storage=bh.storage.Int64()).fill(within)
    found = WHOLE["time_difference"].counts
    assert found.tolist() == expected.view(flow=True).tolist()
    assert 100 < len(within) < len(first)


def test_matrices_of_coincidences():
    events = EVENTS[EVENTS.coincidence > 0]
    matrix, symmetric = np.zeros((18, 18), int), np.zeros((10, 10), int)
    for number in np.unique(events.coincidence):
        group = events[events.coincidence == number]
        names = [
            next(n for n, v in NUMBERS.items() if v == address)
            for address in zip(
                group.crate.tolist(),
                group.slot.tolist(),
                group.channel.tolist(),
                strict=True,
            )
        ]
        adc = (group.energy.astype(int) // 4096 + 1).tolist()
        kev = np.floor(group.energy_kev.astype(float) / 250) + 1
        kev = np.where(np.isnan(kev), 9, np.clip(kev, 0, 9)).astype(int).tolist()
        for i in range(len(group)):
            for j in range(len(group)):
                if i != j:
                    symmetric[kev[i], kev[j]] += 1
                    if names[i] == A and names[j] in (B, C):
                        matrix[adc[i], adc[j]] += 1
    assert WHOLE["matrix"].counts.tolist() == matrix.tolist()
    assert WHOLE["symmetric"].counts.tolist() == symmetric.tolist()
    assert matrix.sum() > 100
    gated = WHOLE["matrix"].gated(8192, 16_000)
    assert gated.tolist() == matrix[1:-1, 3:5].sum(axis=1).tolist()
    gated = WHOLE["matrix"].gated(0, 4096, on="x")
    assert gated.tolist() == matrix[1, 1:-1].tolist()


@settings(max_examples=15)
@given(st.lists(st.integers(1, 2999), max_size=8))
def test_batches_make_no_difference(cuts):
    assert_same(filled(EVENTS, cuts=cuts), WHOLE)


@settings(max_examples=10)
@given(st.integers(0, 3000))
def test_parts_are_added(cut):
    declared = ALL_KINDS[:4]
    one, other = filled(EVENTS[:cut], declared), filled(EVENTS[cut:], declared)
    one.runs, other.runs = (3,), (4, 3)
    total = one + other
    assert_same(total, filled(EVENTS, declared))
    assert total.runs == (3, 4)
    assert one.events == cut


def test_going_on_with_a_state():
    one, other = Spectra(ALL_KINDS), Spectra(ALL_KINDS)
    one.fill(EVENTS[:1234])
    for mine, its in zip(other, one, strict=True):
        mine._array = its._array
    other.resume(one.state())
    other.fill(EVENTS[1234:])
    other.finish()
    assert_same(other, WHOLE)


def test_events_behind_later_ones_are_left_out_and_counted():
    events = EVENTS[:100].with_columns(time_ps=np.arange(100, dtype=np.int64)[::-1])
    found = filled(events, [ALL_KINDS[4]])["time_difference"]
    count = len(of(events[1:], A, B))
    assert found.left_out == count
    assert found.total <= 1
    many = EVENTS[: MOST_MEMBERS + 9].with_columns(
        coincidence=np.ones(MOST_MEMBERS + 9, np.int64)
    )
    found = filled(many, [{"kind": "matrix", "bins": 4}])["matrix"]
    assert found.left_out == 9
    assert found.total == MOST_MEMBERS * (MOST_MEMBERS - 1)


def test_histograms_of_hist_have_names_labels_and_calibrated_axes():
    whole = WHOLE["spectrum"].hist()
    assert isinstance(whole, hist.Hist)
    assert [axis.name for axis in whole.axes] == ["channel", "energy"]
    assert whole.axes[1].label == "Energy (ADC units)"
    assert list(whole.axes[0]) == [A, B, C]
    assert whole[B, :].values().tolist() == WHOLE["spectrum"][B].tolist()
    one = WHOLE["spectrum"].hist(B, rebin=4, calibration=lambda x: 0.1 * x + 5)
    assert one.axes[0].label == "Energy (keV)"
    assert one.axes[0].edges[:2] == pytest.approx([4.95, 4.95 + 409.6])
    assert one.values().tolist() == (
        WHOLE["spectrum"][B].reshape(-1, 4).sum(axis=1).tolist()
    )
    assert WHOLE["matrix"].hist(rebin=2).shape == (8, 8)
    times = WHOLE["time_difference"].hist()
    assert times.axes[0].label == f"Time of {B} after {A} (ns)"
    with pytest.raises(SpectraError, match="does not rise"):
        WHOLE["spectrum"].hist(B, calibration=lambda x: -x)
    with pytest.raises(SpectraError, match="rebin is 0"):
        WHOLE["spectrum"].hist(B, rebin=0)


def test_what_is_not_there():
    with pytest.raises(SpectraError, match=r"no histogram 'x'; known: spectrum, some"):
        WHOLE["x"]
    with pytest.raises(SpectraError, match="'some' has no events of c0-s03-ch00"):
        WHOLE["some"][C]
    with pytest.raises(SpectraError, match="names a module"):
        WHOLE["some"]["c0-s02"]
    with pytest.raises(EventsError, match=r"'matrix' needs .* column coincidence;"):
        filled(EVENTS.without("coincidence"), [{"kind": "matrix"}])
    with pytest.raises(SpectraError, match="no axis 'z'"):
        WHOLE["matrix"].gated(0, 1, on="z")
    with pytest.raises(SpectraError, match="is empty"):
        WHOLE["matrix"].gated(70_000, 80_000)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ([{"kind": "rate", "name": "a"}], "kind is 'spectrum' in one and 'rate'"),
        ([{"kind": "spectrum", "name": "b"}], "one has a, the other b"),
        ([{"kind": "spectrum", "name": "a", "bins": 5}], "bins is 16384 in one and 5"),
        (
            [{"kind": "spectrum", "name": "a", "gate": {"pileup": False}}],
            "gate is {} in one",
        ),
    ],
)
def test_parts_that_do_not_fit(other, words):
    with pytest.raises(SpectraError, match=words):
        Spectra([{"kind": "spectrum", "name": "a"}]) + Spectra(other)


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ([5], "item 0 is 5, expected a mapping"),
        ([{}], "item 0: kind is None, expected one of spectrum:"),
        ([{"kind": "rate"}, {"kind": "rate"}], "item 1: the name 'rate' is taken"),
        ([{"kind": "rate", "column": "energy"}], "column is unknown to the kind rate"),
        ([{"kind": "rate", "bins": 0}], "bins is 0, expected 1 to"),
        ([{"kind": "rate", "bins": 1.5}], "bins is 1.5, expected a whole number"),
        ([{"kind": "rate", "range": [1]}], r"range is \[1\], expected two numbers"),
        ([{"kind": "rate", "range": [5, 5]}], "expected the smaller one first"),
        ([{"kind": "rate", "range": [0, float("nan")]}], "expected two numbers"),
        ([{"kind": "spectrum", "column": "qdc"}], "column is 'qdc', expected one of"),
        ([{"kind": "rate", "channels": "c0-s02"}], "expected a list of channels"),
        ([{"kind": "rate", "channels": ["s2"]}], "'s2' is no channel"),
        ([{"kind": "rate", "channels": ["c0-s256"]}], "'c0-s256' is no channel"),
        ([{"kind": "rate", "channels": [2]}], "channels has 2, expected names"),
        ([{"kind": "rate", "name": "a b"}], "name is 'a b', expected a text"),
        ([{"kind": "rate", "gate": []}], r"gate is \[\], expected conditions"),
        ([{"kind": "rate", "gate": {"x": 1}}], "events have no column 'x'"),
        ([{"kind": "rate", "gate": {"slot": "a"}}], "gate: slot is 'a', expected a"),
        ([{"kind": "time_difference"}], r"channels is \[\], expected two"),
        ([{"kind": "time_difference", "channels": [A, A]}], "twice"),
        ([{"kind": "time_difference", "channels": [A, "c0-s02"]}], "names a module"),
        (
            [{"kind": "time_difference", "channels": [A, B], "window_ns": -1}],
            "window_ns is -1, expected",
        ),
        ([{"kind": "matrix", "bins": 60_000}], "squared is too large"),
    ],
)
def test_declarations_that_are_wrong(declared, words):
    with pytest.raises(SpectraError, match=words):
        check_declarations(declared)


def test_declarations_are_plain_and_come_back():
    declared = check_declarations(ALL_KINDS)
    again = check_declarations([one.to_dict() for one in declared])
    assert [one.to_dict() for one in again] == [one.to_dict() for one in declared]


def test_spectra_show_themselves():
    assert repr(WHOLE).startswith("<Spectra: spectrum, some, kev")
    assert "3 000 events" in repr(WHOLE)
    assert "<td>matrix</td>" in WHOLE._repr_html_()
    assert [one.name for one in WHOLE] == WHOLE.names
    assert len(WHOLE) == len(ALL_KINDS)
    assert WHOLE._ipython_key_completions_() == WHOLE.names
