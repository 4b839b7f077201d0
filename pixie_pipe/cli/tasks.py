"""``pixie-pipe tasks``: what tasks there are, and their parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from pixie_pipe.cli import output
from pixie_pipe.cli.plans import TaskPath, add_task_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console
    from rich.table import Table

    from pixie_pipe.pipeline.declarations import Port
    from pixie_pipe.pipeline.task import Task


def tasks(
    *names: str,
    task_path: TaskPath = (),
    verbose: Annotated[
        bool, Parameter(name=("--verbose", "-v"), negative="", show_default=False)
    ] = False,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
) -> None:
    """List the tasks that pipelines are made of, and their parameters.

    Example: pixie-pipe tasks SortEvents

    Parameters
    ----------
    names
        Tasks to describe in full; without any, all are listed.
    verbose
        Describe all tasks in full.
    json
        Print one JSON document instead of tables.
    """
    add_task_path(task_path)
    found = _chosen(names) if names else _all()
    if json:
        output.write_json({"format": 1, "tasks": [_to_dict(kind) for kind in found]})
        return
    console = output.results()
    if names or verbose:
        for number, kind in enumerate(found):
            if number:
                console.print()
            _describe(console, kind)
    else:
        _list(console, found)


def _chosen(names: Sequence[str]) -> list[type[Task]]:
    from pixie_pipe.cli.usage import UsageError
    from pixie_pipe.pipeline.registry import RegistryError, find_class

    try:
        return [find_class(name) for name in names]
    except RegistryError as error:
        raise UsageError(str(error)) from error


def _all() -> list[type[Task]]:
    from pixie_pipe.pipeline.declarations import Category
    from pixie_pipe.pipeline.registry import find_class, plugins

    found = plugins()
    for problem in dict.fromkeys(item.error for item in found if item.error):
        output.note(problem)
    kinds = [find_class(item.name) for item in found if not item.error]
    order = list(Category)
    return sorted(kinds, key=lambda kind: (order.index(kind.category), kind.__name__))


def _table(*titles: str) -> Table:
    from rich.table import Table

    table = Table(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=bool(any(titles))
    )
    for title in titles:
        table.add_column(title, overflow="fold")
    return table


def _list(console: Console, kinds: Iterable[type[Task]]) -> None:
    table = _table("Category", "Task", "")
    last = ""
    for kind in kinds:
        category = str(kind.category)
        table.add_row("" if category == last else category, kind.__name__, kind.label)
        last = category
    console.print(table)
    console.print("\npixie-pipe tasks NAME shows the parameters of a task.")


def _describe(console: Console, kind: type[Task]) -> None:
    console.print(f"{kind.__name__} ({kind.category}): {kind.label}".removesuffix(": "))
    for line in _facts(kind):
        console.print(f"  {line}")
    if not kind.parameters:
        console.print("  parameters: none")
        return
    table = _table("  Parameter", "Default", "Allowed", "")
    for name, parameter in kind.parameters.items():
        default = "not set" if parameter.default is None else str(parameter.default)
        unit = (
            parameter.unit if parameter.unit and parameter.default is not None else ""
        )
        allowed = parameter.range
        if not allowed:
            allowed = f"{_TYPE_NAMES[parameter.type]} {parameter.unit}".rstrip()
        table.add_row(
            f"  {name}", f"{default} {unit}".rstrip(), allowed, parameter.description
        )
    console.print(table)


def _facts(kind: type[Task]) -> list[str]:
    facts = [f"reads {_ports(kind.reads)}; writes {_ports(kind.writes)}"]
    if str(kind.role) == "optional":
        facts.append("optional: the run goes on without it")
    if kind.can_pool:
        facts.append("may have several workers")
    if kind.live:
        facts.append("takes data live")
    return facts


def _ports(ports: Sequence[Port] | None) -> str:
    if ports is None:
        return "anything"
    return ", ".join(map(_port, ports)) or "nothing"


def _port(port: Port) -> str:
    return f"{port} if there are any" if port.optional else str(port)


_TYPE_NAMES: dict[type, str] = {
    bool: "true or false",
    int: "integer",
    float: "number",
    str: "text",
    list: "list",
    dict: "mapping",
}


def _to_dict(kind: type[Task]) -> dict[str, Any]:
    return {
        "name": kind.__name__,
        "category": str(kind.category),
        "label": kind.label,
        "reads": _ports_to_dict(kind.reads),
        "writes": _ports_to_dict(kind.writes),
        "role": str(kind.role),
        "can_pool": kind.can_pool,
        "live": kind.live,
        "parameters": {
            name: {
                "default": parameter.default,
                "type": parameter.type.__name__,
                "unit": parameter.unit,
                "min": parameter.min,
                "max": parameter.max,
                "choices": list(parameter.choices),
                "description": parameter.description,
            }
            for name, parameter in kind.parameters.items()
        },
    }


def _ports_to_dict(ports: Sequence[Port] | None) -> list[dict[str, Any]] | None:
    if ports is None:
        return None
    return [
        {
            "kind": str(port.kind),
            "columns": sorted(port.columns),
            "optional_columns": sorted(port.optional_columns),
            "optional": port.optional,
        }
        for port in ports
    ]
