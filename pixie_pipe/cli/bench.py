"""``pixie-pipe bench``: how fast everything is on this machine."""

from __future__ import annotations

import shlex
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from pixie_pipe.cli import output

if TYPE_CHECKING:
    from pixie_pipe.bench.figures import Table
    from pixie_pipe.bench.report import Report


def bench(
    *names: str,
    rounds: int = 5,
    scale: float = 1.0,
    peers: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    full: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    directory: Path | None = None,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    update: Path | None = None,
) -> None:
    """Measure how fast everything is on this machine, and what limits it.

    The benchmarks are cores, decode, read, sort, build, histogram, traces, write,
    convert, stream, replay, hop, latency, startup, memory, scale and live. All of them
    take some minutes.

    Example: pixie-pipe bench decode replay --rounds 3

    Parameters
    ----------
    names
        Benchmarks to run; without any, all of them.
    rounds
        How often to measure; tables show the median, the smallest and the largest.
    scale
        Part of the usual number of events: 0.1 is quick, and less exact.
    peers
        Measure pypixie16 on the same data, too, and dspeed on traces; they must be
        installed.
    full
        Measure what takes many minutes, too: 10^9 events, ten minutes of data taking.
    directory
        Where raw files and results are made and removed again, some 2 GB; by default
        where temporary files are.
    json
        Print one JSON document instead of tables.
    update
        Put the tables in the place that this Markdown page has for them.
    """
    from pixie_pipe.bench import run
    from pixie_pipe.bench.settings import Settings
    from pixie_pipe.cli.usage import UsageError

    if rounds < 1 or not 0 < scale <= 10:
        raise UsageError(
            f"--rounds {rounds} --scale {scale:g}: expected at least one round, and a "
            f"scale above 0 and up to 10"
        )
    if directory is not None and not directory.is_dir():
        raise UsageError(f"--directory {directory}: there is no such directory")
    with tempfile.TemporaryDirectory(prefix="pixie_pipe_bench_", dir=directory) as name:
        settings = Settings(
            Path(name), rounds=rounds, scale=scale, peers=peers, full=full
        )
        report = run(
            names,
            settings,
            command=shlex.join(["pixie-pipe", *sys.argv[1:]]),
            on_begin=lambda name: output.messages().print(f"{name} ..."),
        )
    if update is not None:
        report.update(update)
    if json:
        output.write_json(report.to_dict())
    else:
        _print(report)


def _print(report: Report) -> None:
    console = output.results()
    machine = report.machine
    console.print(f"{machine['date']}, {machine['machine']}, {machine['system']}")
    console.print(machine["versions"])
    for section in report.sections.values():
        console.print()
        console.print(section.title, style="bold")
        console.print(section.method, style="dim")
        for table in section.tables:
            console.print()
            _print_table(table)


def _print_table(table: Table) -> None:
    from rich.table import Table as RichTable

    shown = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    head, *lines = table.texts()
    for number, title in enumerate(head):
        shown.add_column(title, justify="right" if number else "left", overflow="fold")
    for line in lines:
        shown.add_row(*line)
    output.results().print(shown)
