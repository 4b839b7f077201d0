"""``pixie-pipe runs``: the runs in a directory: list, show, search, verify, comment."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter, validators

from pixie_pipe.cli import output
from pixie_pipe.cli.usage import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pixie_pipe.storage import RunDirectory, RunQuery
    from pixie_pipe.storage.run_verification import Verification

_MEGABYTE = 1e6
_RANGE = re.compile(r"([0-9]{1,9})(-([0-9]{1,9})?)?")
_MODULE = re.compile(r"[0-9]+/[0-9]+")

Runs = Annotated[
    Path,
    Parameter(
        name="--runs",
        env_var="PIXIE_PIPE_RUNS",
        help="Directory of the runs.",
    ),
]
Json = Annotated[
    bool,
    Parameter(
        name="--json",
        help="Print one JSON document instead of tables.",
        negative="",
        show_default=False,
    ),
]
_Positive = validators.Number(gte=0)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Which runs are meant."""

    state: Annotated[
        tuple[Literal["running", "complete", "incomplete", "damaged"], ...],
        Parameter(
            help="Only runs of this state. May be repeated.",
            negative="",
            show_default=False,
        ),
    ] = ()
    since: Annotated[
        str | None,
        Parameter(
            help="Earliest start: 2026-01-31, or 2026-01-31T12:00 (local time).",
            show_default=False,
        ),
    ] = None
    until: Annotated[
        str | None,
        Parameter(
            help="Latest start; a day is meant as a whole.",
            show_default=False,
        ),
    ] = None
    task: Annotated[
        str | None,
        Parameter(help="Name or class of a task that took part.", show_default=False),
    ] = None
    module: Annotated[
        str | None,
        Parameter(help="Module that took part, as crate/slot.", show_default=False),
    ] = None
    min_mb: Annotated[
        float | None,
        Parameter(
            help="Least size of the raw files in MB.",
            validator=_Positive,
            show_default=False,
        ),
    ] = None
    max_mb: Annotated[
        float | None,
        Parameter(
            help="Largest size of the raw files in MB.",
            validator=_Positive,
            show_default=False,
        ),
    ] = None
    min_s: Annotated[
        float | None,
        Parameter(help="Least duration in s.", validator=_Positive, show_default=False),
    ] = None
    max_s: Annotated[
        float | None,
        Parameter(
            help="Longest duration in s.", validator=_Positive, show_default=False
        ),
    ] = None

    def query(self, numbers: Sequence[str] = (), texts: Sequence[str] = ()) -> RunQuery:
        """Return what is asked for.

        Raises
        ------
        UsageError
            If a number, a date or a module is none.
        """
        from pixie_pipe.storage import RunQuery

        if self.module is not None and not _MODULE.fullmatch(self.module):
            raise UsageError(
                f"--module {self.module}: expected crate/slot, such as 0/2"
            )
        return RunQuery(
            numbers=tuple(map(_range, numbers)),
            texts=tuple(texts),
            since=None if self.since is None else _time("--since", self.since),
            until=None
            if self.until is None
            else _time("--until", self.until, end=True),
            states=self.state,
            task=self.task,
            module=self.module,
            least_bytes=_bytes(self.min_mb),
            most_bytes=_bytes(self.max_mb),
            least_seconds=self.min_s,
            most_seconds=self.max_s,
        )


def list_runs(
    *numbers: str,
    conditions: Conditions | None = None,
    last: Annotated[
        int | None,
        Parameter(
            help="Only the last ones: this many.",
            validator=validators.Number(gte=1),
            show_default=False,
        ),
    ] = None,
    runs: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """List the runs in a directory.

    Example: pixie-pipe runs list 12-40 --state incomplete

    Parameters
    ----------
    numbers
        Numbers and ranges of numbers: 7, 12-40, 50-. Without any, all are listed.
    """
    _print_runs(runs, (conditions or Conditions()).query(numbers), last, json=json)


def search(
    *texts: str,
    conditions: Conditions | None = None,
    runs: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """List the runs in whose title, comments or notes all of some texts appear.

    Capital and small letters are the same.

    Example: pixie-pipe runs search cs-137 "10 cm" --since 2026-01-31

    Parameters
    ----------
    texts
        The texts.
    """
    if not texts:
        raise UsageError("no text was given; name what is looked for, such as cs-137")
    query = (conditions or Conditions()).query(texts=texts)
    _print_runs(runs, query, None, json=json)


def _print_runs(runs: Path, query: RunQuery, last: int | None, *, json: bool) -> None:
    from pixie_pipe.cli import runs_report
    from pixie_pipe.storage import RunIndex

    _require_directory(runs)
    with RunIndex(runs) as index:
        found = index.find(query)
        total = len(index.find())
    found = found[-last:] if last else found
    if json:
        output.write_json(runs_report.list_to_dict(runs, found))
    else:
        runs_report.write_list(runs, found, total)


def show(number: int, /, *, runs: Runs = Path("runs"), json: Json = False) -> None:
    """Show everything that is known of one run, with its files.

    Example: pixie-pipe runs show 42

    Parameters
    ----------
    number
        Number of the run.
    """
    from pixie_pipe.cli import runs_report

    run = _the_run(runs, number)
    if json:
        output.write_json(runs_report.run_to_dict(run))
    else:
        runs_report.write_run(run)


def verify(*numbers: str, runs: Runs = Path("runs"), json: Json = False) -> None:
    """Compare the raw files of runs with the checksums in their records.

    Tells what is missing, changed, or not known to the record. Nothing is written.
    Runs that go on are left out.

    The exit code is 0 if all is as recorded, 1 if not.

    Example: pixie-pipe runs verify 12-40

    Parameters
    ----------
    numbers
        Numbers and ranges of numbers: 7, 12-40, 50-. Without any, all runs.
    """
    from pixie_pipe.cli import runs_report
    from pixie_pipe.errors import PixiePipeError

    meant, damaged = _the_runs(runs, numbers)
    found = _verified(meant)
    if json:
        document = runs_report.verification_to_dict(runs, found, damaged)
        output.write_json(document)
    else:
        runs_report.write_verification(found)
    for text in damaged:
        output.error(text)
    bad = sum(bool(item.problems) for item in found) + len(damaged)
    if bad:
        of = len(found) + len(damaged)
        raise PixiePipeError(
            f"{bad} of {of} run{'s are' if of > 1 else ' is'} not as recorded"
        )


def _verified(runs: Sequence[RunDirectory]) -> list[Verification]:
    from pixie_pipe.storage.run_verification import bytes_to_read, verify_run

    total = sum(map(bytes_to_read, runs))
    with output.byte_progress("verifying", total) as advance:
        return [verify_run(run, advance) for run in runs]


def comment(
    number: int, text: str, /, *, runs: Runs = Path("runs"), json: Json = False
) -> None:
    """Add a comment to the record of a run, with the time.

    Example: pixie-pipe runs comment 42 "the beam was off from 12:10 to 12:20"

    Parameters
    ----------
    number
        Number of the run.
    text
        The comment.
    """
    if not text.strip():
        raise UsageError("the comment is empty, expected what there is to say")
    run = _the_run(runs, number)
    added = run.add_comment(text)
    if json:
        said = {"time": added.time.isoformat(), "text": added.text}
        output.write_json({"format": 1, "path": str(run.path), "comment": said})
        return
    output.results().print(
        f"{run.path}: {added.time:%Y-%m-%d %H:%M:%S} {added.text}", soft_wrap=True
    )


def make_app() -> App:
    """Return the command with its own commands."""
    app = App(
        name="runs",
        help="List, show, search and verify runs, and comment on them.\n\n"
        "Example: pixie-pipe runs list --last 10",
        help_format="plaintext",
        usage="Usage: pixie-pipe runs COMMAND [OPTIONS]",
        version_flags=(),
    )
    for function, name, arguments in (
        (list_runs, "list", "[NUMBERS...] "),
        (show, "show", "NUMBER "),
        (search, "search", "TEXTS... "),
        (verify, "verify", "[NUMBERS...] "),
        (comment, "comment", "NUMBER TEXT "),
    ):
        usage = f"Usage: pixie-pipe runs {name} {arguments}[OPTIONS]"
        app.command(function, name=name, usage=usage)
    return app


def _the_run(runs: Path, number: int) -> RunDirectory:
    """Return a run, or tell which ones there are."""
    from pixie_pipe.storage import RunDirectory

    path = _paths(runs).get(number)
    if path is None:
        raise UsageError(_no_such_run(runs, str(number)))
    return RunDirectory.open(path)


def _the_runs(
    runs: Path, numbers: Sequence[str]
) -> tuple[list[RunDirectory], list[str]]:
    """Return the runs that are meant, and what is wrong with damaged ones."""
    from pixie_pipe.storage import RunDirectory, RunRecordError

    paths = _paths(runs)
    meant = set() if numbers else set(paths)
    for text in numbers:
        first, end = _range(text)
        some = {number for number in paths if first <= number <= end}
        if not some:
            raise UsageError(_no_such_run(runs, text))
        meant |= some
    found, damaged = [], []
    for number in sorted(meant):
        try:
            found.append(RunDirectory.open(paths[number]))
        except RunRecordError as error:
            damaged.append(str(error))
    return found, damaged


def _paths(runs: Path) -> dict[int, Path]:
    from pixie_pipe.storage import run_directories

    _require_directory(runs)
    return dict(run_directories(runs))


def _require_directory(runs: Path) -> None:
    if not runs.is_dir():
        raise UsageError(
            f"{runs}: there is no such directory of runs; name one with --runs DIR, or "
            f"set PIXIE_PIPE_RUNS"
        )


def _no_such_run(runs: Path, text: str) -> str:
    numbers = sorted(_paths(runs))
    there = "there are none in it"
    if numbers:
        there = (
            f"its {len(numbers)} runs have numbers from {numbers[0]} to {numbers[-1]}"
        )
        if len(numbers) == 1:
            there = f"its only run is {numbers[0]}"
    return f"{runs}: there is no run {text}; {there}"


def _range(text: str) -> tuple[int, int]:
    match = _RANGE.fullmatch(text)
    if match is None:
        raise UsageError(
            f"{text!r} is no number of a run, expected a number or a range: 7, 12-40, "
            f"50-"
        )
    first = int(match[1])
    if match[2] is None:
        return first, first
    return first, int(match[3]) if match[3] else 999_999_999


def _time(option: str, text: str, *, end: bool = False) -> dt.datetime:
    try:
        time = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{option} {text}: expected a date or a time, such as 2026-01-31 or "
            f"2026-01-31T12:00"
        ) from error
    try:
        if end and re.fullmatch(r"[0-9-]+", text):
            # The whole day.
            time += dt.timedelta(days=1)
        return time.astimezone()
    except (OverflowError, ValueError) as error:
        raise UsageError(f"{option} {text}: is too far from now") from error


def _bytes(megabytes: float | None) -> float | None:
    return None if megabytes is None else megabytes * _MEGABYTE
