"""What a prompt and a notebook show of a pipeline, in every state."""

from __future__ import annotations

import io
import itertools
import json
import subprocess
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixie_pipe.pipeline import Pipeline, Status
from pixie_pipe.pipeline._drawing import Line, Sketch, svg_drawing, text_drawing
from pixie_pipe.pipeline._rates import (
    LEAST_SECONDS,
    WINDOW_SECONDS,
    Meter,
    rate_text,
    seconds_text,
    short_number,
)
from tests.pipeline.stand_in import StandIn


def chain(*names, lossy=()):
    return [Line(a, b, lossy=b in lossy) for a, b in itertools.pairwise(names)]


def drawn(lines, width=98, side=(), **labels):
    names = dict.fromkeys(
        name for line in lines for name in (line.producer, line.consumer)
    )
    texts = {name: labels.get(name, name) for name in names}
    return text_drawing(Sketch(texts, lines, frozenset(side)), width)


class Balanced(HTMLParser):
    """Checks that every element is closed."""

    def __init__(self, text):
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += f"{data}\n"


def rendered(status):
    from rich.console import Console

    text = io.StringIO()
    Console(file=text, width=100, legacy_windows=False).print(status)
    return text.getvalue()


def everything_shown(pipe):
    """Return all that is shown of a pipeline, having looked at it for faults."""
    status = pipe.status()
    handles = list(pipe.tasks.values())
    texts = [repr(pipe), repr(status), str(status), repr(pipe.tasks)]
    texts += [repr(handle) for handle in handles]
    for text in texts:
        assert max(map(len, text.splitlines())) <= 100
    pages = [pipe._repr_html_(), status._repr_html_()]
    pages += [handle._repr_html_() for handle in handles]
    texts += [Balanced(page).text for page in pages]
    json.dumps(status.to_dict(), allow_nan=False)
    return "\n".join([*texts, rendered(status)])


# The drawing


def test_a_line_of_tasks_is_one_line():
    assert drawn(chain("A", "B", "C"), B="B ×2") == ["A → B ×2 → C"]


def test_taps_hang_below_the_task_that_feeds_them():
    lines = [
        *chain("A", "B", "C", "D"),
        Line("B", "Tap", lossy=True),
        Line("C", "T2"),
        Line("C", "T3"),
        Line("T2", "T4"),
    ]
    assert drawn(lines, side=("Tap", "T2", "T3")) == [
        "A → B → C → D",
        "    │   ├→ T2 → T4",
        "    │   └→ T3",
        "    └⇢ Tap",
    ]


def test_a_tap_does_not_become_the_main_line_though_it_comes_first():
    lines = [Line("A", "Tap"), *chain("A", "B", "C")]
    assert drawn(lines, side=("Tap",)) == ["A → B → C", "└→ Tap"]


def test_further_sources_have_lines_of_their_own():
    lines = [Line("S1", "G"), Line("S2", "G"), *chain("G", "W")]
    assert drawn(lines) == ["S1 → G → W", "S2 → G"]


def test_a_long_line_goes_on_in_the_next_with_its_taps_in_place():
    lines = [
        *chain("Aaaa", "Bbbb", "Cccc", "D"),
        Line("Aaaa", "Tap"),
        Line("Cccc", "Top"),
    ]
    assert drawn(lines, width=13, side=("Tap", "Top")) == [
        "Aaaa → Bbbb →",
        "└→ Tap",
        "  Cccc → D",
        "  └→ Top",
    ]


def test_tasks_without_links_are_drawn_too():
    assert text_drawing(Sketch({"A": "A", "B": "B"}, []), 98) == ["A", "B"]


names = st.sampled_from("ABCDEFG")


@given(
    st.lists(
        st.tuples(names, names, st.booleans()), max_size=12, unique_by=lambda e: e[:2]
    ),
    st.frozensets(names),
    st.integers(5, 60),
)
def test_any_graph_can_be_drawn_and_no_arrow_is_left_out(edges, side, width):
    lines = [Line(*edge) for edge in edges]
    # Links to tasks that are not there, and links in a circle, are refused later.
    sketch = Sketch({name: name * 3 for name in "ABCDEF"}, lines, side)
    known = [line for line in lines if "G" not in (line.producer, line.consumer)]
    text = "\n".join(text_drawing(sketch, width))
    assert text.count("⇢") == sum(line.lossy for line in known)
    assert text.count("→") == sum(not line.lossy for line in known)
    assert all(name * 3 in text for name in "ABCDEF")
    found = [line for chain in sketch.chains() for line in chain]
    assert sorted(found, key=repr) == sorted(known, key=repr)
    svg = svg_drawing(sketch, {"A": "red"})
    root = ET.fromstring(svg)
    shown = [
        element.text or "" for element in root.iter() if element.tag.endswith("text")
    ]
    assert sorted(shown) == [name * 3 for name in "ABCDEF"]
    assert svg.count("stroke-dasharray") == sum(line.lossy for line in known)
    assert svg.count("stroke='red'") == 1


# Rates


def passed(events, **more):
    return {"in": {"x": {"events": events, "bytes": 10 * events}}, **more}


def test_rates_are_those_of_the_run_until_two_reports_are_known():
    meter = Meter()
    meter.add(104.0, passed(800))
    rates = meter.rates(100.0)
    assert (rates.count, rates.bytes_in, rates.seconds) == (200.0, 2000.0, None)
    meter.add(104.0 + LEAST_SECONDS / 2, passed(8000))
    assert meter.rates(100.0).seconds is None


def test_rates_are_those_of_the_last_seconds_when_they_are_known():
    meter = Meter()
    meter.add(104.0, passed(800))
    meter.add(106.0, passed(900))
    rates = meter.rates(100.0)
    assert (rates.count, rates.seconds) == (50.0, 2.0)
    meter.add(106.0 + WINDOW_SECONDS, passed(1000))
    assert meter.rates(100.0).seconds == WINDOW_SECONDS
    assert meter.rates(100.0).count == 100 / WINDOW_SECONDS


def test_rates_of_a_run_that_is_over_are_those_of_the_whole():
    meter = Meter()
    meter.add(104.0, passed(800))
    meter.add(106.0, passed(1000))
    rates = meter.rates(100.0, 120.0)
    assert (rates.count, rates.seconds) == (50.0, None)


def test_the_same_report_is_no_second_sample():
    meter = Meter()
    report = passed(800)
    meter.add(104.0, report)
    meter.add(108.0, report)
    assert meter.rates(100.0).count == 200.0


def test_a_process_that_counts_from_zero_again_has_no_negative_rate():
    meter = Meter()
    meter.add(104.0, passed(800))
    meter.add(106.0, passed(60))
    assert meter.rates(100.0).count == 10.0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.54, "0.5"),
        (7, "7"),
        (999.4, "999"),
        (999.96, "1.0 k"),
        (1234, "1.2 k"),
        (999_949, "999.9 k"),
        (999_951, "1.0 M"),
        (2.5e9, "2.5 G"),
        (3e12, "3.0 T"),
    ],
)
def test_numbers_are_short_and_never_jump_over_a_prefix(value, text):
    assert short_number(value) == text
    assert rate_text(value, "events") == f"{text} events/s"


def test_durations_are_short():
    texts = [seconds_text(value) for value in (0, 59.94, 59.96, 245, 3599.6, 7620)]
    assert texts == [
        "0.0 s",
        "59.9 s",
        "1 min 00 s",
        "4 min 05 s",
        "1 h 00 min",
        "2 h 07 min",
    ]


# The table, with numbers that are chosen


def test_the_table_tells_what_waits_what_was_dropped_and_what_is_late():
    pipe = StandIn(
        src=("LiveNumbers", {}), dbl=("Double", {"workers": 2}), tap=("Sum", {}),
        end=("Collect", {}),
    )  # fmt: skip
    pipe.go().connect_claimed()
    pipe.report(
        "src",
        sent={"frames": 40, "words": 2000, "bytes": 8000},
        out={"dbl": {"outstanding_bytes": 3_000_000}},
    )
    for name, waiting in (("dbl.1", 1000), ("dbl.2", 500)):
        pipe.report(
            name,
            **{"in": {"src": {"events": 500, "bytes": 10_000_000}}},
            sent={"bytes": 20_000_000},
            out={
                "tap": {"outstanding_bytes": waiting, "dropped_events": 100},
                "end": {"outstanding_bytes": 0},
            },
        )
    pipe.report(
        "end", own={"late": 12, "files": ["a"], "gain": 2}, ledger={"events_dropped": 3}
    )
    pipe.run.restarts["tap"] = 2
    rows = {row.name: row for row in pipe.status().rows}
    assert (rows["src"].unit, rows["src"].count) == ("words", 2000)
    assert rows["src"].waiting_bytes is None
    assert rows["dbl.1"].unit == "events"
    assert rows["dbl.1"].rate == pytest.approx(50, rel=0.01)
    assert rows["dbl.1"].in_bytes_per_s == pytest.approx(1e6, rel=0.01)
    assert rows["dbl.1"].out_bytes_per_s == pytest.approx(2e6, rel=0.01)
    assert rows["dbl.1"].waiting_bytes == 3_000_000
    assert rows["dbl.2"].waiting_bytes is None
    assert (rows["tap"].waiting_bytes, rows["tap"].dropped) == (1500, 200)
    assert rows["tap"].notes == ("2 restarts",)
    assert rows["end"].dropped == 0
    assert rows["end"].notes == ("12 late", "3 events dropped")
    text = everything_shown(pipe)
    assert "3.0 MB" in text
    assert "tap: 2 restarts" in text
    assert "end: 12 late, 3 events dropped" in text
    assert "src → dbl ×2 → end" in repr(pipe)
    assert "⇢ tap" in repr(pipe)


def test_a_replay_tells_how_much_is_read_and_how_long_the_rest_takes():
    pipe = StandIn("Numbers", "Collect").go().connect_claimed()
    own = {"bytes_total": 1_000_000, "bytes_read": 250_000}
    pipe.report("Numbers", seconds=5, own=own)
    status = pipe.status()
    assert status.fraction == 0.25
    assert status.left_s == pytest.approx(15)
    assert "25.0 % read, 15.0 s left" in repr(status)
    assert "25.0 % read, 15.0 s left" in rendered(status)
    assert "value='0.2500'" in status._repr_html_()


def test_no_share_is_told_if_a_source_does_not_know_its_end():
    pipe = StandIn(a=("Numbers", {}), b=("Numbers", {}), c=("Collect", {})).go()
    pipe.connect_claimed()
    pipe.report("a", own={"bytes_total": 1000, "bytes_read": 10})
    assert pipe.status().fraction is None
    assert pipe.status().left_s is None


def test_a_run_that_failed_says_why_and_who_ended():
    pipe = StandIn("Numbers", "Collect").go().connect_claimed()
    pipe.records["Collect"].exit_code = -9
    pipe.report("Numbers", incomplete=["the module was full"])
    pipe.end("Collect was killed by SIGKILL")
    status = pipe.status()
    assert status.state is Status.PANICKING
    assert status.complete is False
    row = status.rows[1]
    assert (row.state, row.word, row.lag_s) == (Status.PANICKING, "ended", None)
    text = everything_shown(pipe)
    assert "NOT complete" in text
    assert "not complete: the module was full" in text
    assert "Collect: was killed by SIGKILL" in text
    assert "stroke='#d33'" in pipe._repr_html_()


def test_a_run_that_is_over_is_judged_before_it_is_written_down():
    pipe = StandIn("Numbers", "Collect").go().connect_claimed()
    pipe.report("Numbers", out={"Collect": {"frames": 3}})
    pipe.report("Collect", **{"in": {"Numbers": {"frames": 2}}})
    assert pipe.status().complete is True
    pipe.run.over = True
    status = pipe.status()
    assert (status.state, status.complete) == (Status.PANICKING, False)
    assert "3 frames sent and 2 received" in repr(status)
    pipe.report("Collect", **{"in": {"Numbers": {"frames": 3}}})
    status = pipe.status()
    assert (status.state, status.complete) == (Status.FINISHED, True)


def test_what_an_optional_task_lacks_does_not_make_the_run_incomplete():
    pipe = StandIn("Numbers", "Sum", "Collect").go().connect_claimed()
    pipe.report("Sum", incomplete=["something"])
    pipe.run.degraded.append("Sum was killed by SIGKILL")
    status = pipe.status()
    assert status.complete is True
    assert "degraded: Sum was killed by SIGKILL" in repr(status)


def test_rates_come_from_two_looks_and_start_anew_with_a_run():
    pipe = StandIn("Numbers", "Collect").go().connect_claimed()
    pipe.report("Collect", seconds=5, **passed(100))
    assert "mean of the run" in repr(pipe.status())
    pipe.report("Collect", seconds=7, **passed(300))
    status = pipe.status()
    assert (status.rows[1].rate, status.rates_s) == (100.0, 2.0)
    assert "mean of the last 2 s" in repr(status)
    old, pipe.run = pipe.run, StandIn("Numbers").run
    assert old is not pipe.run
    pipe.run.number = 2
    pipe.go()
    pipe.report("Collect", seconds=8, **passed(800))
    assert (pipe.status().rows[1].rate, pipe.status().run) == (100.0, 2)


def test_strange_statistics_do_no_harm():
    pipe = StandIn("Numbers", "Collect").go().connect_claimed()
    pipe.report("Numbers", own={"bytes_total": "many", "late": True}, out=None, sent=3)
    pipe.report(
        "Collect", **{"in": {"Numbers": 3}}, own=[1], ledger={"late": float("nan")}
    )
    everything_shown(pipe)


@pytest.fixture
def _any_name(monkeypatch):
    """Allow every name: what is shown must be safe even so."""
    monkeypatch.setattr("pixie_pipe.pipeline.pipeline.TASK_NAME", ".")


@pytest.mark.usefixtures("_any_name")
def test_long_names_are_shortened_to_keep_the_width():
    label = "a_very_long_name_" * 6
    pipe = StandIn(**{label: ("Numbers", {}), label + "2": ("Collect", {})}).go()
    pipe.connect_claimed()
    pipe.report(label + "2", **passed(123_456_789))
    lines = repr(pipe.status()).splitlines()
    assert max(map(len, lines)) <= 100
    assert "…" in lines[1 + 1]
    assert lines[2].startswith("a_very")


@pytest.mark.usefixtures("_any_name")
def test_names_are_no_markup():
    pipe = StandIn(**{"<b>[red]x": ("Numbers", {}), "y": ("Collect", {})}).go()
    pipe.connect_claimed()
    for page in (pipe._repr_html_(), pipe.status()._repr_html_(),
                 pipe["<b>[red]x"]._repr_html_()):  # fmt: skip
        assert "<b>[red]" not in page
        assert "<b>[red]x" in Balanced(page).text
    assert "<b>[red]x" in rendered(pipe.status())


# A task


def test_a_task_shows_its_parameters_with_units_and_marks_what_was_changed():
    pipe = Pipeline()
    handle = pipe.create_task("Numbers", pause=0.5)
    lines = repr(handle).splitlines()
    assert lines[0] == "⏸️ Numbers, waiting"
    assert lines[1] == "  count  100    arrays to send; 0: without end"
    assert lines[3] == "* pause  0.5 s  time between arrays (default 0.0 s)"
    page = Balanced(handle._repr_html_()).text
    assert "0.5 s" in page
    assert "default 0.0 s" in page


def test_a_task_shows_what_it_counted():
    pipe = (
        StandIn(n=("Numbers", {}), d=("Double", {"workers": 2})).go().connect_claimed()
    )
    for name in ("d.1", "d.2"):
        pipe.report(
            name, **passed(1500), own={"gain": 0.25, "late": 2}, ledger={"found": 1200}
        )
    text = repr(pipe["d"])
    assert "d (Double), running, 2 workers" in text
    assert "3 000 events, 300 events/s" in text
    assert "found 2 400, gain 0.5, late 4" in text


def test_long_values_are_cut():
    pipe = Pipeline()
    handle = pipe.create_task("Numbers")
    handle.node.parameters["count"] = list(range(1000))
    assert "…" in repr(handle)
    everything_shown(pipe)


# Real processes


def test_everything_can_be_shown_in_every_state(make_pipeline):
    pipe = make_pipeline()
    assert "no tasks" in everything_shown(pipe)
    for name in ("Numbers", "Double", "Sum", "Collect"):
        pipe.create_task(name)
    assert "not started" in everything_shown(pipe)
    assert "Numbers → Double → Collect" in repr(pipe)
    pipe.connect()
    assert [row.word for row in pipe.status().rows] == ["waiting"] * 4
    everything_shown(pipe)
    pipe.configure({"Numbers": {"count": 0, "pause": 0.01}})
    pipe.start()
    pipe.until(lambda: pipe.status().rows[3].count > 0)
    assert "running, run 1" in everything_shown(pipe)
    assert pipe.status().rows[3].rate > 0
    pipe.stop()
    assert "waiting, last run 1" in everything_shown(pipe)
    assert pipe.status().complete is True
    pipe.configure({"Numbers": {"count": 5}})
    pipe.start()
    pipe.status()
    pipe.wait(quiet=True)
    assert "finished, run 2" in everything_shown(pipe)
    assert pipe.status().rows[3].count == 5
    pipe.quit()
    assert pipe.status().rows[3].count == 5
    assert "not started" in everything_shown(pipe)


def test_everything_can_be_shown_after_a_death_and_after_a_kill(make_pipeline):
    pipe = make_pipeline("Numbers", "Collect")
    pipe.configure({"Numbers": {"count": 0, "pause": 0.01}})
    pipe.start()
    pipe.status()
    pipe.send_kill("Collect")
    pipe.until(lambda: pipe.state is Status.PANICKING)
    assert "was killed by SIGKILL" in everything_shown(pipe)
    pipe.kill()
    everything_shown(pipe)
    assert pipe.status().complete is False


def test_rich_is_not_loaded_with_the_pipeline():
    code = (
        "import sys; from pixie_pipe.pipeline import Pipeline; p = Pipeline(); "
        "repr(p), repr(p.status()); sys.exit('rich' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
