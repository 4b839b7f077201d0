"""A checked configuration as tables, and as plain values."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from pixie_pipe.cli import output
from pixie_pipe.pipeline.graph import Graph
from pixie_pipe.pipeline.plan import Plan, PlannedTask


def write(plan: Plan) -> None:
    """Print the tasks and their links to stdout."""
    console = output.results()
    number = len(plan.tasks)
    plural = "" if number == 1 else "s"
    console.print(f"{plan.path}: ok, {number} task{plural}", soft_wrap=True)
    console.print(_graph_table(plan))
    kept = f"in {plan.runs}" if plan.runs else "are not kept (run.directory is not set)"
    limits = f", up to {plan.limits}" if plan.limits.to_dict() else ""
    pause = f" with {plan.pause_s:g} s between them" if plan.pause_s else ""
    series = f", {plan.repeat} of them{pause}" if plan.repeat > 1 else ""
    console.print(f"runs {kept}{limits}{series}", soft_wrap=True)


def write_parameters(plan: Plan) -> None:
    """Print the value of each parameter, and where it comes from, to stdout."""
    table = _table("Parameter", "Value", "Unit", "From")
    for task in plan.tasks:
        for row in parameter_rows(task):
            unit = task.kind.parameters[row["parameter"]].unit
            name = f"{task.name}.{row['parameter']}"
            table.add_row(name, _shown(row["value"]), unit, row["from"])
    console = output.results()
    console.print()
    if table.row_count:
        console.print(table)
    else:
        console.print("the tasks have no parameters")


def parameter_rows(task: PlannedTask) -> list[dict[str, Any]]:
    """Return parameter, value and origin of all parameters of a task."""
    return [
        {
            "parameter": name,
            "value": task.parameters.get(name, known.default),
            "from": task.origins.get(name, "default"),
        }
        for name, known in task.kind.parameters.items()
    ]


def to_dict(plan: Plan) -> dict[str, Any]:
    """Return a plan as plain values, for JSON."""
    graph = plan.graph()
    return {
        "format": 1,
        "configuration": str(plan.path),
        "title": plan.title,
        "runs": None if plan.runs is None else str(plan.runs),
        "limits": plan.limits.to_dict(),
        "repeat": plan.repeat,
        "pause_s": plan.pause_s,
        "modules": [dict(module) for module in plan.modules],
        "tasks": [
            {
                "name": task.name,
                "task": task.kind.__name__,
                "from": [edge.producer for edge in graph.inputs(task.name)],
                "workers": task.workers,
                "process": task.process or None,
                "role": str(task.role),
                "lossy": any(graph.is_lossy(edge) for edge in graph.inputs(task.name)),
                "parameters": parameter_rows(task),
            }
            for task in plan.tasks
        ],
    }


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in titles:
        table.add_column(title, overflow="fold")
    return table


def _graph_table(plan: Plan) -> Table:
    graph = plan.graph()
    table = _table("Task", "Reads from", "")
    for task in plan.tasks:
        sources = ", ".join(edge.producer for edge in graph.inputs(task.name))
        table.add_row(task.name, sources or "-", ", ".join(_remarks(task, graph)))
    return table


def _remarks(task: PlannedTask, graph: Graph) -> list[str]:
    remarks = []
    if task.name != task.kind.__name__:
        remarks.append(f"a {task.kind.__name__}")
    if task.workers > 1:
        remarks.append(f"{task.workers} workers")
    if task.process:
        remarks.append(f"in the process {task.process}")
    if task.role.value == "optional":
        remarks.append("optional")
    if any(graph.is_lossy(edge) for edge in graph.inputs(task.name)):
        remarks.append("data are dropped when it is too slow")
    return remarks


def _shown(value: object) -> str:
    text = "not set" if value is None else str(value)
    return text if len(text) <= 200 else f"{text[:197]}..."
