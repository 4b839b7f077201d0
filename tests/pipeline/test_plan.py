"""Pipelines from files: what is built, and every wrong thing with its line."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import pixie_pipe.tasks
from pixie_pipe.config import ConfigError
from pixie_pipe.pipeline import Pipeline, Task
from pixie_pipe.pipeline.links import DEFAULT_WINDOW
from pixie_pipe.pipeline.plan_file import load_plan

MODULE = "{crate: 0, slot: 2, frequency: 500, revision: 34688}"
LINE = """\
tasks:
  - task: DummyData
    rate_hz: 1e5
  - task: GatherData
  - task: ConvertToEvents
    workers: 2
  - task: SortEvents
  - task: FillHistograms
    name: spectra
    lossy: false
  - task: WriteEvents
"""


@pytest.fixture
def written(tmp_path: Path):
    def written(text: str) -> Path:
        path = tmp_path / "a.yaml"
        path.write_text(text)
        return path

    return written


@pytest.fixture
def forget_tasks():
    """Forget the tasks of directories that a test added."""
    path, known = list(pixie_pipe.tasks.__path__), set(Task.class_registry)
    modules = set(sys.modules)
    yield
    pixie_pipe.tasks.__path__[:] = path
    for name in set(Task.class_registry) - known:
        del Task.class_registry[name]
    for name in set(sys.modules) - modules:
        if name.startswith("pixie_pipe.tasks."):
            del sys.modules[name]


def links(graph):
    return [(edge.producer, edge.consumer) for edge in graph.edges]


def test_each_task_reads_from_the_one_before_it_that_is_no_monitor(written):
    plan = load_plan(written(LINE))
    assert links(plan.graph()) == [
        ("DummyData", "GatherData"),
        ("GatherData", "ConvertToEvents"),
        ("ConvertToEvents", "SortEvents"),
        ("SortEvents", "spectra"),
        ("SortEvents", "WriteEvents"),
    ]


def test_from_names_one_task_or_several(written):
    plan = load_plan(
        written(
            "tasks:\n"
            "  - {task: DummyData, name: a}\n"
            "  - {task: DummyData, name: b}\n"
            "  - {task: GatherData, name: ga, from: a}\n"
            "  - {task: GatherData, name: gb, from: [b]}\n"
            "  - {task: ConvertToEvents, from: [ga, gb]}\n"
        )
    )
    assert links(plan.graph()) == [
        ("a", "ga"),
        ("b", "gb"),
        ("ga", "ConvertToEvents"),
        ("gb", "ConvertToEvents"),
    ]


def test_names_that_are_taken_get_a_number(written):
    plan = load_plan(
        written(
            "tasks:\n"
            "  - task: DummyData\n"
            "  - task: DummyData\n"
            "  - {task: DummyData, name: DummyData-2}\n"
            "  - task: GatherData\n"
        )
    )
    names = [task.name for task in plan.tasks]
    assert names == ["DummyData", "DummyData-3", "DummyData-2", "GatherData"]


def test_the_pipeline_is_the_one_of_the_plan(written, tmp_path):
    path = written(
        f"run: {{directory: runs, title: Test}}\nmodules: [{MODULE}]\n{LINE}"
        "    from: SortEvents\n    window_mb: 2.5\n    role: essential\n"
    )
    plan = load_plan(path)
    with plan.build(Pipeline) as pipe:
        assert pipe.title == "Test"
        assert list(pipe.graph.nodes) == [task.name for task in plan.tasks]
        assert pipe.tasks.DummyData.rate_hz == 100_000
        assert pipe.graph.nodes["ConvertToEvents"].workers == 2
        assert pipe.modules == [
            {"crate": 0, "slot": 2, "frequency": 500, "revision": 34688}
        ]
        assert pipe.tasks.DummyData.modules == pipe.modules
        edges = {edge.consumer: edge for edge in pipe._edges(list(pipe.graph.nodes))}
        assert links(plan.graph()) == [
            (edge.producer, edge.consumer) for edge in edges.values()
        ]
        assert edges["spectra"].lossy is False
        assert edges["SortEvents"].lossy is None
        assert edges["WriteEvents"].window_bytes == 2_500_000
        assert edges["SortEvents"].window_bytes == DEFAULT_WINDOW
        assert pipe.describe()["content"]["run"] == {
            "directory": "runs",
            "title": "Test",
        }
        assert pipe.supervisor is None
    assert plan.runs == tmp_path / "runs"


def test_the_caller_has_the_last_word(written):
    path = written(f"run: {{title: Test}}\n{LINE}")
    with Pipeline.from_config(
        path, changes=["tasks.SortEvents.window_us=7"], title="Other"
    ) as pipe:
        assert pipe.title == "Other"
        assert pipe.tasks.SortEvents.window_us == 7


def test_names_of_files_are_relative_to_the_file(written, tmp_path):
    text = "tasks: [{task: LoadFiles, files: [a.bin, /b.bin]}, {task: GatherData}]\n"
    plan = load_plan(written(text))
    assert plan.tasks[0].parameters["files"] == [str(tmp_path / "a.bin"), "/b.bin"]


def test_names_of_files_in_changes_are_relative_to_the_working_directory(written):
    text = "tasks: [{task: LoadFiles, files: [a.bin]}, {task: GatherData}]\n"
    changes = ["tasks.LoadFiles.files=[c.bin]", "run.directory=here"]
    plan = load_plan(written(text), changes)
    assert plan.tasks[0].parameters["files"] == [str(Path("c.bin").absolute())]
    assert plan.runs == Path("here").absolute()


def test_modules_of_a_task_go_before_those_of_the_file(written):
    plan = load_plan(
        written(
            f"modules: [{MODULE}]\n"
            "tasks:\n"
            '  - {task: DummyData, name: a, modules: ["0/3:250/34688"]}\n'
            "  - {task: DummyData, name: b}\n"
            "  - task: GatherData\n"
        )
    )
    slots = [task.parameters["modules"][0]["slot"] for task in plan.tasks[:2]]
    assert slots == [3, 2]
    assert re.search(r"a\.yaml:3$", plan.tasks[0].origins["modules"])
    assert re.search(r"a\.yaml:1$", plan.tasks[1].origins["modules"])


def test_a_whole_number_may_be_written_with_an_exponent(written):
    path = written(
        "tasks: [{task: DummyData, events: 1e6, rate_hz: 2E4}, {task: GatherData}]"
    )
    assert load_plan(path).tasks[0].parameters == {"events": 1_000_000, "rate_hz": 2e4}


def test_a_task_of_the_experiment(written, tmp_path, forget_tasks):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "plan_probe.py").write_text(
        "from pixie_pipe.pipeline import Task\nclass PlanProbe(Task):\n    pass\n"
    )
    text = "tasks: [{task: DummyData}, {task: PlanProbe}]\n"
    plan = load_plan(written(f"task_path: [mine]\n{text}"))
    assert plan.tasks[1].kind.__name__ == "PlanProbe"
    assert plan.task_path == (tmp_path / "mine",)


def test_a_search_path_of_the_caller(written, tmp_path, forget_tasks):
    (tmp_path / "plan_caller.py").write_text(
        "from pixie_pipe.pipeline import Task\nclass PlanCaller(Task):\n    pass\n"
    )
    path = written("tasks: [{task: DummyData}, {task: PlanCaller}]\n")
    assert load_plan(path, task_path=[tmp_path]).task_path == (tmp_path,)


HEAD = "tasks:\n  - task: DummyData\n"

WRONG = {
    "unknown task": (
        HEAD + "  - task: GatherDate\n",
        (
            r"a\.yaml:3: tasks\[1\]\.task: there is no task 'GatherDate'; did you mean "
            r"'GatherData'"
        ),
    ),
    "unknown parameter": (
        HEAD + "    rate_hs: 3\n  - task: GatherData\n",
        (
            r":3: tasks\[0\]\.rate_hs: DummyData has no such parameter; did you mean "
            r"'rate_hz'"
        ),
    ),
    "misspelled setting": (
        HEAD + "  - {task: GatherData, wrokers: 2}\n",
        r":3: tasks\[1\]\.wrokers: .* did you mean 'workers'",
    ),
    "wrong type": (
        HEAD + "    rate_hz: fast\n  - task: GatherData\n",
        r":3: tasks\[0\]\.rate_hz: is 'fast', expected a number",
    ),
    "out of range": (
        HEAD + "    rate_hz: -1\n  - task: GatherData\n",
        r":3: tasks\[0\]\.rate_hz: is -1 Hz, expected 0 to",
    ),
    "no choice": (
        HEAD + "  - task: GatherData\n    record: alwyas\n",
        r":4: tasks\[1\]\.record: .* did you mean 'always'",
    ),
    "twice": (
        HEAD + "  - {task: GatherData, name: x}\n  - {task: GatherData, name: x}\n",
        r":4: tasks\[2\]\.name: 'x' is the name of tasks\[1\] already",
    ),
    "dangling": (
        HEAD + "  - task: GatherData\n    from: DumyData\n",
        r":4: tasks\[1\]\.from: there is no task 'DumyData' .*did you mean 'DummyData'",
    ),
    "cycle": (
        HEAD + "  - {task: SortEvents, name: a, from: b}\n"
        "  - {task: SortEvents, name: b, from: a}\n",
        r":1: tasks: data would go round in a circle: a -> b -> a",
    ),
    "wrong kind": (
        HEAD + "  - task: SortEvents\n",
        r":3: tasks\[1\]\.from: SortEvents reads events, but DummyData sends words",
    ),
    "no source": (
        "tasks:\n  - task: GatherData\n",
        r":2: tasks\[0\]\.from: GatherData reads words, but nothing is linked to it",
    ),
    "optional before essential": (
        HEAD + "  - {task: GatherData, role: optional}\n  - task: ConvertToEvents\n",
        (
            r":4: tasks\[2\]\.role: ConvertToEvents is essential, "
            r"but reads from GatherData"
        ),
    ),
    "workers": (
        HEAD + "  - task: GatherData\n    workers: 2\n",
        r":4: tasks\[1\]\.workers: GatherData cannot have 2 workers",
    ),
    "no workers": (
        HEAD + "  - task: GatherData\n    workers: 0\n",
        r":4: tasks\[1\]\.workers: is 0, expected at least 1",
    ),
    "role": (
        HEAD + "  - {task: GatherData, role: esential}\n",
        r":3: tasks\[1\]\.role: is 'esential', expected 'essential' or 'optional'",
    ),
    "module of no layout": (
        "modules: [{crate: 0, slot: 2, frequency: 75, revision: 34688}]\n" + HEAD,
        r":1: modules\[0\]: no layout for 75 MSPS",
    ),
    "module of a task": (
        HEAD + "    modules: [{crate: 0, slot: 2, frequncy: 500, revision: 34688}]\n",
        r":3: tasks\[0\]\.modules\[0\]\.frequncy: .*did you mean 'frequency'",
    ),
    "short module": (
        HEAD + "    modules: [0/2]\n",
        r":3: tasks\[0\]\.modules\[0\]: module '0/2': expected crate/slot:",
    ),
    "module twice": (
        f"modules:\n  - {MODULE}\n  - {MODULE}\n" + HEAD,
        r":3: modules\[1\]: module 0/2 is listed twice",
    ),
    "search path": (
        "task_path: [nowhere]\n" + HEAD,
        r":1: task_path\[0\]: .*nowhere: is no directory",
    ),
    "search path is no list": (
        "task_path: here\n" + HEAD,
        r":1: task_path: is 'here', expected a list; write \[here\]",
    ),
    "title": (
        "run: {title: 42}\n" + HEAD,
        r":1: run\.title: is 42, expected a text",
    ),
    "run": (
        "run: {directry: x}\n" + HEAD,
        r":1: run\.directry: there is no such setting; did you mean 'directory'",
    ),
    "section": (
        "moduls: []\n" + HEAD,
        r":1: moduls: there is no such setting; did you mean 'modules'",
    ),
    "no tasks": ("run: {}\n", r":1: tasks: is missing"),
    "empty tasks": ("tasks: []\n", r":1: tasks: is \[\], expected at least 1 item"),
    "bare name": (
        "tasks: [DummyData]\n",
        r":1: tasks\[0\]: is 'DummyData', expected .*write \{task: DummyData\}",
    ),
    "no class": (
        "tasks:\n  - {tsk: DummyData}\n",
        r":2: tasks\[0\]\.task: is missing; is 'tsk' meant",
    ),
    "version": ("schema_version: 2\n" + HEAD, r":1: schema_version: is 2, expected 1"),
    "no mapping": ("- 1\n", r":1: is \[1\], expected settings by name"),
    "twice the same key": (HEAD + "tasks: []\n", r":3: tasks: stands twice"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_with_its_line(written, text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_plan(written(text))
    assert " problems in " not in str(caught.value)


def test_everything_is_told_at_once_in_the_order_of_the_lines(written):
    path = written(
        "run: {titel: x}\n"
        "tasks:\n"
        "  - {task: DummyData, rate_hz: -1, channels: many}\n"
        "  - {task: GatherDate}\n"
        "  - {task: SortEvents, from: Convert}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_plan(path)
    head, *lines = str(caught.value).splitlines()
    assert head == f"5 problems in {path}:"
    numbers = [int(line.removeprefix(f"{path}:").split(":")[0]) for line in lines]
    assert numbers == [1, 3, 3, 4, 5]


def test_names_are_looked_up_beside_a_task_that_is_unknown(written):
    path = written(HEAD + "  - task: Nothing\n  - task: GatherData\n    from: Dumy\n")
    with pytest.raises(ConfigError, match=r":5: tasks\[2\]\.from: there is no task"):
        load_plan(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("tasks.SortEvents.window_us=-1", r": tasks\[3\]\.window_us: is -1 us"),
        ("tasks.SortEvents.windw_us=1", "did you mean 'window_us'"),
        ("tasks.spectra.from=GatherData", r"tasks\[4\]\.from: spectra reads events"),
        ("tsks.x=1", "tsks: there is no such setting; did you mean 'tasks'"),
    ],
)
def test_what_a_change_does_wrong_is_told_with_the_change(written, change, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_plan(written(LINE), [change])
    assert str(caught.value).startswith(f"--set {change}: ")


def test_where_values_come_from(written):
    path = written(LINE)
    plan = load_plan(path, ["tasks.DummyData.channels=3"])
    assert plan.tasks[0].origins == {
        "rate_hz": f"{path}:3",
        "channels": "--set tasks.DummyData.channels=3",
    }


def test_files_take_the_place_of_the_sources(written):
    plan = load_plan(
        written(
            f"modules: [{MODULE}]\n"
            "tasks:\n"
            "  - {task: DummyData, name: a}\n"
            "  - {task: DummyData, name: b}\n"
            "  - {task: GatherData, record: always, from: [a, b]}\n"
            "  - task: ConvertToEvents\n"
        )
    ).replay(["x.bin", "y.bin"])
    assert [task.name for task in plan.tasks] == [
        "LoadFiles",
        "GatherData",
        "ConvertToEvents",
    ]
    loader, gather, _ = plan.tasks
    assert loader.parameters["files"] == [
        str(Path(name).absolute()) for name in ("x.bin", "y.bin")
    ]
    assert loader.parameters["modules"] == list(plan.modules)
    assert gather.after == ("LoadFiles",)
    assert gather.parameters["record"] == "never"
    assert plan.configuration["replay"] == ["x.bin", "y.bin"]


def test_a_replay_keeps_how_files_are_read(written):
    text = "tasks: [{task: LoadFiles, byte_order: big}, {task: GatherData}]\n"
    loader = load_plan(written(text)).replay(["x.bin"]).tasks[0]
    assert loader.parameters["byte_order"] == "big"


def test_nothing_can_be_replayed_without_a_source(written, tmp_path, forget_tasks):
    (tmp_path / "plan_any.py").write_text(
        "from pixie_pipe.pipeline import Task\nclass PlanAny(Task):\n    pass\n"
    )
    plan = load_plan(written("task_path: [.]\ntasks: [{task: PlanAny}]\n"))
    with pytest.raises(ConfigError, match="no task in it is a source"):
        plan.replay(["x.bin"])
