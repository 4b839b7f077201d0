"""What cannot be is refused at once, and leaves everything as it was."""

from __future__ import annotations

import threading
import time

import pytest

from pixie_pipe.pipeline import Error, Pipeline, PipelineWarning, Status
from tests.support import api_tasks as tasks


def test_the_name_of_a_class_stands_for_all_its_tasks():
    pipe = Pipeline()
    for _ in range(2):
        pipe.create_task("GatedSource")
    pipe.configure({"GatedSource": {"count": 7}})
    assert [handle.count for handle in pipe.tasks.values()] == [7, 7]
    pipe.tasks["GatedSource"].count = 8
    assert [handle.count for handle in pipe.tasks.values()] == [8, 7]


def test_tasks_is_a_mapping():
    pipe = Pipeline()
    pipe.create_task("GatedSource")
    assert "Nobody" not in pipe.tasks
    assert pipe.tasks.get("Nobody") is None


def test_a_warning_points_at_the_line_of_the_script(make_pipeline):
    pipe = make_pipeline("GatherData")
    for command in (pipe.connect, pipe.start):
        with pytest.warns(PipelineWarning, match="it is no source") as it:
            command()
        assert [warning.filename for warning in it] == [__file__]
        pipe.quit()


@pytest.mark.parametrize("label", ["a/b", "x" * 33, "", "Generating.1", "-a", "\u00e4"])
def test_a_label_that_cannot_be_the_name_of_a_socket(label):
    with pytest.raises(ValueError, match="expected letters, digits"):
        Pipeline().create_task("GatedSource", label=label)


def test_arguments_that_cannot_be_given_to_a_process():
    with pytest.raises(ValueError, match="task_kwargs has 'name'"):
        Pipeline({"name": 1})
    with Pipeline({"function": lambda: 1}) as pipe:
        pipe.create_task("GatedSource")
        with pytest.raises(Error, match="cannot give the task GatedSource"):
            pipe.connect()


def test_a_text_in_place_of_a_list_of_names():
    with pytest.raises(TypeError, match=r"\['Numbers'\]"):
        Pipeline().connect("Numbers")


def test_values_that_a_task_refuses_are_not_kept(make_pipeline):
    pipe = make_pipeline("GatedSource", "Faulty", "Counting")
    pipe.connect()
    with pytest.raises(Error):
        pipe.configure(
            {"GatedSource": {"count": 7}, "Faulty": {"where": "do_configure"}}
        )
    assert pipe.tasks.Faulty.where == ""
    assert pipe.tasks.GatedSource.count != 7
    pipe.connect()


def test_a_selection_of_tasks_lasts_over_quit(make_pipeline):
    pipe = make_pipeline("GatedSource", "OnlyDoWork", "Counting")
    pipe.connect(["GatedSource", "Counting"])
    pipe.quit()
    pipe.start()
    assert list(pipe.statistics()) == ["GatedSource", "Counting"]


class SlowStart(tasks.Journaled):
    """Gives time to kill another task while the pipeline starts."""

    def do_start(self):
        super().do_start()
        time.sleep(2)


def test_a_task_that_is_lost_while_others_start_ends_the_start(make_pipeline, tmp_path):
    journal = {"journal": str(tmp_path)}
    pipe = make_pipeline("GatedSource", "SlowStart", "Counting", task_kwargs=journal)
    pipe.connect()

    def kill_when_it_starts() -> None:
        while not (tmp_path / "SlowStart").read_text().count("do_start"):
            time.sleep(0.01)
        pipe.send_kill("Counting")

    killer = threading.Thread(target=kill_when_it_starts)
    killer.start()
    with pytest.raises(Error, match="cannot start: Counting was killed by SIGKILL"):
        pipe.start()
    killer.join()
    assert pipe.state is Status.WAITING
    assert "do_start" not in (tmp_path / "GatedSource").read_text()
    pipe.start()
    pipe.stop()
    assert pipe.balance().closes


def test_files_that_are_not_given(make_pipeline):
    pipe = make_pipeline("LoadFiles")
    with pytest.raises(Error, match="no raw files were given"):
        pipe.start()
