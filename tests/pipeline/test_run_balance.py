"""The balance is that of the run: of all that took part, and of nothing else."""

from __future__ import annotations

from IPython.lib.pretty import pretty

import tests.support.api_tasks  # noqa: F401 - registers the tasks
from pixie_pipe.pipeline import Status
from pixie_pipe.pipeline.balance import RunBalance


def test_that_of_a_killed_run_does_not_close(make_pipeline):
    pipe = make_pipeline("GatedSource", "Counting")
    pipe.start()
    pipe.kill()
    assert "the pipeline was killed" in pipe.balance().problems


def test_it_stays_after_stop(make_pipeline):
    pipe = make_pipeline("GatedSource", "Counting")
    pipe.start()
    pipe.send_kill("Counting")
    pipe.until(lambda: pipe.state is Status.PANICKING)
    before = pipe.balance()
    assert not before.closes
    pipe.stop()
    assert pipe.balance() == before


def test_tasks_that_do_not_take_part_do_not_count(make_pipeline):
    pipe = make_pipeline("GatedSource", "Counting", "Collecting")
    pipe.start()
    pipe.until(lambda: pipe.balance().words_read)
    pipe.stop()
    pipe.connect(["GatedSource", "Collecting"])
    pipe.start()
    pipe.stop()
    assert pipe.balance().closes, pipe.balance()


def test_a_prompt_shows_it_as_a_sentence():
    balance = RunBalance(words_read=8, words_decoded=4, words_rejected=4)
    assert pretty(balance) == "8 words read = 4 decoded + 4 rejected + 0 left over"
