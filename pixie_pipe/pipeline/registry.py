"""Where task classes come from: built in, from a search path, from other packages.

A file ``my_task.py`` in a directory of the search path is imported as
``pixie_pipe.tasks.my_task`` and holds the class ``MyTask``. Other packages announce
theirs with entry points of the group ``pixie_pipe.tasks``. Everything is imported when
it is first asked for.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.pipeline.parameters import suggestion

if TYPE_CHECKING:
    import os

    from pixie_pipe.pipeline.task import Task

PACKAGE = "pixie_pipe.tasks"
ENTRY_POINTS = "pixie_pipe.tasks"


class RegistryError(PixiePipeError, ValueError):
    """A task class that does not exist, cannot be imported, or exists twice."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """Where a task class comes from.

    Attributes
    ----------
    name
        Name of the class.
    module
        Module that holds it.
    origin
        ``built in``, the file, or the distribution with its version.
    error
        Why it cannot be used; empty if it can.
    """

    name: str
    module: str
    origin: str
    error: str = ""


def class_name(module: str) -> str:
    """Return the name of the class in a module: ``sort_events`` has ``SortEvents``."""
    return "".join(part.capitalize() for part in module.rsplit(".", 1)[-1].split("_"))


def search_path() -> list[str]:
    """Return the directories that were added, in order."""
    package = importlib.import_module(PACKAGE)
    return list(package.__path__)[1:]


def add_search_path(directories: Iterable[str | os.PathLike[str]]) -> None:
    """Look for tasks in these directories, too.

    Raises
    ------
    RegistryError
        If one is no directory, or a file in it has the name of a known task.
    """
    package = importlib.import_module(PACKAGE)
    for directory in directories:
        path = Path(directory).resolve()
        if str(path) in package.__path__:
            continue
        if not path.is_dir():
            raise RegistryError(
                f"{directory}: is no directory, expected one with files of tasks"
            )
        _refuse_duplicates(path, list(package.__path__))
        package.__path__.append(str(path))
        importlib.invalidate_caches()


def _refuse_duplicates(new: Path, known: list[str]) -> None:
    there = {name: Path(place) for place in known for name in _modules_in([place])}
    for name in _modules_in([str(new)]):
        if name in there:
            raise RegistryError(
                f"the task {class_name(name)} exists twice: {new / name}.py and "
                f"{there[name] / name}.py; rename one of them"
            )


def _modules_in(path: list[str]) -> list[str]:
    found = pkgutil.iter_modules(path)
    return sorted(item.name for item in found if not item.name.startswith("_"))


def _candidates() -> dict[str, list[tuple[str, str]]]:
    """Return (module, origin) of every class that can be imported, by its name."""
    package = importlib.import_module(PACKAGE)
    found: dict[str, list[tuple[str, str]]] = {}
    for number, directory in enumerate(package.__path__):
        for name in _modules_in([directory]):
            origin = "built in" if number == 0 else str(Path(directory) / f"{name}.py")
            place = (f"{PACKAGE}.{name}", origin)
            found.setdefault(class_name(name), []).append(place)
    for entry in metadata.entry_points(group=ENTRY_POINTS):
        dist = entry.dist
        origin = f"{dist.name} {dist.version}" if dist else entry.value
        found.setdefault(entry.name, []).append((entry.module, origin))
    return found


def known_names() -> list[str]:
    """Return the names of all task classes that can be asked for."""
    from pixie_pipe.pipeline.task import Task

    return sorted({*_candidates(), *Task.class_registry})


def find_class(name: str) -> type[Task]:
    """Return the task class of this name, and import it if need be.

    Raises
    ------
    RegistryError
        If there is none, it exists twice, or its module cannot be imported.
    """
    from pixie_pipe.pipeline.task import Task

    places = _candidates().get(name, [])
    if len(places) > 1:
        origins = " and ".join(origin for _, origin in places)
        raise RegistryError(
            f"the task {name} exists twice: {origins}; rename or remove one of them"
        )
    if places and name not in Task.class_registry:
        module, origin = places[0]
        _import(name, module, origin)
    if name in Task.class_registry:
        return Task.class_registry[name]
    known = known_names()
    raise RegistryError(
        f"there is no task {name!r}{suggestion(name, known)} Known: {', '.join(known)}"
    )


def _import(name: str, module: str, origin: str) -> None:
    from pixie_pipe.pipeline.task import Task

    try:
        importlib.import_module(module)
    except Exception as error:  # whatever the file of a user raises
        raise RegistryError(
            f"the task {name} ({origin}) cannot be imported: "
            f"{type(error).__name__}: {error}"
        ) from error
    if name not in Task.class_registry:
        raise RegistryError(
            f"the task {name} ({origin}): its module has no class of this name; "
            f"the class in my_task.py must be called MyTask and derive from Task"
        )


def plugins() -> list[Plugin]:
    """Return where every task comes from, and what is wrong with it."""
    from pixie_pipe.pipeline.task import Task

    listed = []
    for name, places in sorted(_candidates().items()):
        error = ""
        try:
            find_class(name)
        except RegistryError as problem:
            error = str(problem)
        listed += [Plugin(name, module, origin, error) for module, origin in places]
    named = {plugin.name for plugin in listed}
    listed += [
        Plugin(name, kind.__module__, f"defined in {kind.__module__}")
        for name, kind in sorted(Task.class_registry.items())
        if name not in named
    ]
    return listed
