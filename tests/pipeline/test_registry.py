"""Where tasks come from: the package, directories, other packages."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import pixie_pipe.tasks
import tests.support.pipeline_tasks  # noqa: F401 - registers the tasks
from pixie_pipe.pipeline import (
    Pipeline,
    RegistryError,
    Task,
    add_search_path,
    find_class,
    known_names,
    plugins,
)
from pixie_pipe.pipeline.registry import class_name, search_path
from tests.support.plugin_tasks import (
    ADD,
    seen_from_new_process,
    write_package,
    write_task,
)


@pytest.fixture(autouse=True)
def _forget_tasks(monkeypatch):
    """Forget the tasks that a test adds, and where they were."""
    path, known = list(pixie_pipe.tasks.__path__), dict(Task.class_registry)
    modules = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    # Other tests add directories of their own.
    pixie_pipe.tasks.__path__[:] = path[:1]
    yield
    pixie_pipe.tasks.__path__[:] = path
    Task.class_registry.clear()
    Task.class_registry.update(known)
    for name in set(sys.modules) - modules:
        module = sys.modules[name]
        if name.startswith("pixie_pipe.tasks.") or hasattr(module, "OF_A_TEST"):
            del sys.modules[name]


def of_package(name: str):
    return [plugin for plugin in plugins() if plugin.name == name]


@pytest.mark.parametrize(
    ("module", "name"),
    [("sort_events", "SortEvents"), ("a.b.x", "X"), ("my_2_tasks", "My2Tasks")],
)
def test_a_class_is_named_after_its_module(module, name):
    assert class_name(module) == name


def test_the_tasks_of_the_package_are_known_without_importing_them():
    assert {"DummyData", "SortEvents", "WriteEvents"} <= set(known_names())
    (plugin,) = of_package("SortEvents")
    assert (plugin.origin, plugin.error) == ("built in", "")
    assert not [name for name in known_names() if name.startswith("_")]


def test_a_name_that_is_nearly_known_is_suggested():
    with pytest.raises(RegistryError) as caught:
        find_class("SortEvent")
    assert str(caught.value).startswith(
        "there is no task 'SortEvent'; did you mean 'SortEvents'"
    )
    assert "Known: " in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_tasks_of_a_directory_are_imported_when_they_are_asked_for(tmp_path):
    path = write_task(tmp_path, "add_some")
    add_search_path([tmp_path])
    assert search_path() == [str(tmp_path)]
    assert "AddSome" in known_names()
    assert "pixie_pipe.tasks.add_some" not in sys.modules
    kind = find_class("AddSome")
    assert kind.__module__ == "pixie_pipe.tasks.add_some"
    assert find_class("AddSome") is kind
    (plugin,) = of_package("AddSome")
    assert (plugin.origin, plugin.error) == (str(path), "")


def test_a_directory_is_added_once_and_may_be_added_again(tmp_path):
    write_task(tmp_path, "add_some")
    add_search_path([tmp_path, tmp_path / ".." / tmp_path.name])
    add_search_path([str(tmp_path)])
    assert search_path() == [str(tmp_path)]


def test_the_working_directory_is_not_searched(tmp_path, monkeypatch):
    write_task(tmp_path, "add_some")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RegistryError, match="there is no task 'AddSome'"):
        find_class("AddSome")


def test_something_that_is_no_directory(tmp_path):
    path = write_task(tmp_path, "add_some")
    for wrong in (tmp_path / "absent", path):
        with pytest.raises(RegistryError) as caught:
            Pipeline(task_path=[wrong])
        assert str(caught.value) == (
            f"{wrong}: is no directory, expected one with files of tasks"
        )
    assert search_path() == []


def test_a_task_that_is_in_two_directories_is_refused(tmp_path):
    first = write_task(tmp_path / "a", "add_some")
    second = write_task(tmp_path / "b", "add_some", 2)
    with pytest.raises(RegistryError) as caught:
        add_search_path([tmp_path / "a", tmp_path / "b"])
    assert str(caught.value) == (
        f"the task AddSome exists twice: {second} and {first}; rename one of them"
    )
    assert search_path() == [str(tmp_path / "a")]


def test_a_file_with_the_name_of_a_built_in_task_is_refused(tmp_path):
    path = write_task(tmp_path, "sort_events")
    with pytest.raises(RegistryError) as caught:
        add_search_path([tmp_path])
    assert f"the task SortEvents exists twice: {path} and " in str(caught.value)
    assert search_path() == []


def test_a_file_that_appears_later_and_doubles_a_task_is_told(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    add_search_path([tmp_path / "a", tmp_path / "b"])
    paths = [str(write_task(tmp_path / name, "add_some")) for name in ("a", "b")]
    with pytest.raises(RegistryError, match="AddSome exists twice") as caught:
        find_class("AddSome")
    assert all(path in str(caught.value) for path in paths)


def test_two_classes_of_one_name_in_different_modules_are_refused():
    with pytest.raises(RegistryError) as caught:
        type("Double", (Task,), {"__module__": "elsewhere"})
    assert str(caught.value) == (
        "a task Double is there already, in tests.support.pipeline_tasks; the one in "
        "elsewhere needs another name"
    )


def test_a_class_may_be_defined_again_in_its_module():
    kinds = [type("InACell", (Task,), {"__module__": "__main__"}) for _ in range(2)]
    assert find_class("InACell") is kinds[1]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import nothing_of_this_name\n", "ModuleNotFoundError: No module named"),
        ("class AddSome(\n", "SyntaxError: "),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("x = 1\n", "its module has no class of this name; the class in my_task.py"),
        ("class AddSome:\n    pass\n", "must be called MyTask and derive from Task"),
    ],
)
def test_why_a_task_cannot_be_imported_is_told_and_listed(tmp_path, code, why):
    path = write_task(tmp_path, "add_some")
    path.write_text(code)
    add_search_path([tmp_path])
    with pytest.raises(RegistryError) as caught:
        find_class("AddSome")
    assert f"the task AddSome ({path})" in str(caught.value)
    assert why in str(caught.value)
    (plugin,) = of_package("AddSome")
    assert why in plugin.error
    # The others are not touched by it.
    assert [plugin.error for plugin in of_package("SortEvents")] == [""]
    with pytest.raises(RegistryError, match="AddSome"):
        Pipeline().create_task("AddSome")


def test_a_file_that_is_repaired_can_be_imported_without_starting_anew(tmp_path):
    path = write_task(tmp_path, "add_some")
    good = path.read_text()
    path.write_text("import nothing_of_this_name\n")
    add_search_path([tmp_path])
    with pytest.raises(RegistryError):
        find_class("AddSome")
    path.write_text(good)
    assert find_class("AddSome").parameters["number"].default == 1


# Other packages

PACKAGED = "OF_A_TEST = True\n" + ADD.format(name="AddMore", number=5)


@pytest.fixture
def package(tmp_path):
    """Return a function that installs a package that announces tasks."""

    def install(entries, code=PACKAGED, module="packaged_tasks"):
        site = tmp_path / module
        write_package(site, module, entries, code)
        sys.path.insert(0, str(site))

    return install


def test_other_packages_announce_tasks(package):
    package({"AddMore": "packaged_tasks:AddMore"})
    assert "AddMore" in known_names()
    assert "packaged_tasks" not in sys.modules
    assert find_class("AddMore").__module__ == "packaged_tasks"
    (plugin,) = of_package("AddMore")
    assert (plugin.module, plugin.origin) == ("packaged_tasks", "packaged_tasks 1.2")
    assert plugin.error == ""


@pytest.mark.parametrize(
    ("target", "code", "why"),
    [
        ("packaged_tasks:AddMore", "import nothing_of_this_name\n", "No module named"),
        ("absent_module:AddMore", PACKAGED, "No module named 'absent_module'"),
        ("packaged_tasks:AddMore", "OF_A_TEST = True\n", "no class of this name"),
    ],
)
def test_a_package_that_cannot_be_used_is_named_with_its_version(
    package, target, code, why
):
    package({"AddMore": target}, code)
    with pytest.raises(RegistryError) as caught:
        find_class("AddMore")
    assert "the task AddMore (packaged_tasks 1.2)" in str(caught.value)
    assert why in str(caught.value)
    (plugin,) = of_package("AddMore")
    assert why in plugin.error


@pytest.mark.parametrize("other", ["built in", "directory", "package"])
def test_a_package_may_not_announce_a_task_that_is_known(package, tmp_path, other):
    name = "SortEvents" if other == "built in" else "AddMore"
    package({name: f"packaged_tasks:{name}"})
    if other == "directory":
        add_search_path([write_task(tmp_path / "tasks", "add_more").parent])
    if other == "package":
        package({name: "more_tasks:AddMore"}, module="more_tasks")
    with pytest.raises(
        RegistryError, match=f"the task {name} exists twice: "
    ) as caught:
        find_class(name)
    assert "packaged_tasks 1.2" in str(caught.value)
    assert [f"{name} exists twice" in plugin.error for plugin in of_package(name)] == [
        True, True,
    ]  # fmt: skip


# In new processes


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
@pytest.mark.parametrize("origin", ["directory", "package"])
def test_a_new_process_finds_the_class_by_itself(package, tmp_path, method, origin):
    if origin == "directory":
        add_search_path([write_task(tmp_path / "tasks", "add_more", 5).parent])
        module = "pixie_pipe.tasks.add_more"
    else:
        package({"AddMore": "packaged_tasks:AddMore"})
        module = "packaged_tasks"
    task = find_class("AddMore")("adding")
    task.config.number = 7
    told = seen_from_new_process(task, method)
    assert told == (module, "AddMore", "adding", {"number": 7})


def test_tasks_of_all_origins_work_in_one_pipeline(package, tmp_path, make_pipeline):
    package({"AddMore": "packaged_tasks:AddMore"})
    directory = write_task(tmp_path / "tasks", "add_some", 100).parent
    pipeline = make_pipeline(
        "Numbers", "AddMore", "AddSome", "Collect", task_path=[directory]
    )
    pipeline.configure({"Numbers": {"count": 3, "size": 10}, "AddMore": {"number": 1}})
    pipeline.start()
    assert pipeline.wait(60, quiet=True)
    assert pipeline.last_report("Collect")["total"] == int(np.sum(np.arange(30) + 101))
