"""What `run.yaml` says about a run."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import yaml

from pixie_pipe.storage._locks import locked
from pixie_pipe.storage._plain import PlainDataError, to_plain
from pixie_pipe.storage._processes import ProcessIdentity
from pixie_pipe.storage._record_values import (
    Reader,
    RunRecordError,
    expected,
    kind_of,
    read_count,
    read_each,
    read_fields,
    read_mapping,
    read_optional,
    read_text,
    read_time,
    read_value,
    read_whole,
)
from pixie_pipe.storage.atomic import new_file
from pixie_pipe.storage.provenance import SourceFile, printable
from pixie_pipe.storage.raw_recorder import RecordedFile

if TYPE_CHECKING:
    import datetime as dt

__all__ = [
    "FORMAT",
    "FORMAT_VERSION",
    "RUN_FILE",
    "Comment",
    "PlainDataError",
    "RunPause",
    "RunRecord",
    "RunRecordError",
    "State",
    "changing_record",
    "read_record",
    "write_record",
]

RUN_FILE = "run.yaml"
"""Name of the file in the directory of a run."""

FORMAT = "pixie_pipe run"
FORMAT_VERSION = 1

State = Literal["running", "complete", "incomplete"]

_HEADING = "# Written by pixie_pipe; docs/runs.md says what each key means.\n"
_WORD_BYTES = 4

# A change takes milliseconds; whoever takes longer is stuck, and must not stop a run.
_LOCK_SECONDS = 5.0

# Of libyaml if it is there: ten times as fast.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody says about a run, at any time after its start."""

    time: dt.datetime
    text: str


@dataclass(frozen=True, slots=True)
class RunPause:
    """A time in which the sources of a run delivered nothing.

    Attributes
    ----------
    begun, ended
        When; None while it lasts, and if it lasted when the run ended.
    """

    begun: dt.datetime
    ended: dt.datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """Everything that is known about a run, apart from its data.

    Attributes
    ----------
    number
        Its number, from 1.
    title
        What the user calls it.
    state
        ``running``, ``complete`` or ``incomplete``.
    reasons
        Why it is not complete.
    started, stopped
        When, with the offset from UTC; None while it is running.
    exit_status
        Of the program that took it; None if it is not known.
    host
        Name of the machine that took it.
    process
        The process that took it.
    versions
        Of pixie_pipe and of what it works with.
    configuration
        The full configuration, plain data.
    modules
        The table of modules, plain data, one dict each.
    balance
        Where the words went, plain data.
    statistics
        What the channels counted, a table for each module, plain data; empty if no
        driver has told. While the run goes on, and after a crash, the last that is
        known.
    files
        The raw files, in ``raw/``.
    outputs
        Other files that were made of them, relative to the directory of the run.
    inputs
        In a replay, the raw files that were read.
    notes
        What else the program has to say.
    comments
        What people say, in the order in which it was added.
    pauses
        When it was paused.
    ended_by
        What ended it: ``sources``, ``stop``, ``failure``, or a text that begins with
        ``limit:`` or ``disk:``. Empty while it is running, and if that is not known.
    """

    number: int
    title: str = ""
    state: State = "running"
    reasons: tuple[str, ...] = ()
    started: dt.datetime
    stopped: dt.datetime | None = None
    exit_status: int | None = None
    host: str
    process: ProcessIdentity
    versions: Mapping[str, str] = field(default_factory=dict)
    configuration: Mapping[str, Any] = field(default_factory=dict)
    modules: tuple[Mapping[str, Any], ...] = ()
    balance: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[RecordedFile, ...] = ()
    outputs: tuple[str, ...] = ()
    inputs: tuple[SourceFile, ...] = ()
    notes: str = ""
    comments: tuple[Comment, ...] = ()
    pauses: tuple[RunPause, ...] = ()
    ended_by: str = ""
    statistics: tuple[Mapping[str, Any], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for `from_dict`.

        Raises
        ------
        PlainDataError
            If the configuration, the modules or the balance are no plain data.
        """
        values = {item.name: getattr(self, item.name) for item in _FIELDS}
        values["process"] = dataclasses.asdict(self.process)
        values["files"] = [_file_to_dict(file) for file in self.files]
        values["inputs"] = [
            {"path": printable(file.path), "size": file.size, "sha256": file.sha256}
            for file in self.inputs
        ]
        for key in ("comments", "pauses"):
            values[key] = [dataclasses.asdict(item) for item in values[key]]
        head = {"format": FORMAT, "format_version": FORMAT_VERSION}
        return head | {key: to_plain(value, key) for key, value in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunRecord:
        """Make the record that `to_dict` described.

        Raises
        ------
        RunRecordError
            If it is of another format, or a value is missing or of a wrong type.
        """
        if values.get("format") != FORMAT:
            raise RunRecordError(
                f"key 'format' is {values.get('format')!r}, expected {FORMAT!r}"
            )
        if (version := values.get("format_version")) != FORMAT_VERSION:
            raise RunRecordError(
                f"key 'format_version' is {version!r}, and this pixie_pipe knows "
                f"{FORMAT_VERSION}; read it with a newer one"
            )
        read = {
            item.name: _READERS[item.name](read_value(values, item.name), item.name)
            for item in _FIELDS
            if item.name in values or item.name not in _LATER_KEYS
        }
        return cls(**read)


def read_record(path: Path) -> RunRecord:
    """Read a ``run.yaml``.

    Raises
    ------
    RunRecordError
        If it is missing, or is not as pixie_pipe writes it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise RunRecordError(
            f"{path.parent}: is no directory of a run: there is no {path.name} in it"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise RunRecordError(f"{path}: cannot be read: {error}") from error
    try:
        values = yaml.load(text, Loader=_Loader)  # noqa: S506 - one of the safe loaders
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise RunRecordError(f"{path}:{line}: is not YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise RunRecordError(f"{path}: is not YAML: {error}") from error
    if not isinstance(values, dict):
        raise RunRecordError(
            f"{path}: holds {kind_of(values)}, expected the keys of a run"
        )
    try:
        return RunRecord.from_dict(values)
    except RunRecordError as error:
        raise RunRecordError(f"{path}: {error}") from error


def write_record(path: Path, record: RunRecord) -> None:
    """Write a ``run.yaml``, in the place of the old one if there is one.

    Raises
    ------
    PlainDataError
        As for `RunRecord.to_dict`; the old one is left.
    OSError
        If it cannot be written; the old one is left.
    """
    text = yaml.dump(
        record.to_dict(),
        Dumper=_Dumper,
        sort_keys=False,
        # The one in Python writes U+0085 so that it is read as a blank.
        allow_unicode=_Dumper is not yaml.SafeDumper,
        default_flow_style=None,
    )
    with new_file(path, force=True) as opened:
        opened.path.write_text(_HEADING + text, encoding="utf-8")


@contextlib.contextmanager
def changing_record(path: Path) -> Iterator[None]:
    """Let nobody else change a ``run.yaml`` meanwhile.

    Parameters
    ----------
    path
        The file.
    """
    with locked(path.parent, _LOCK_SECONDS):
        yield


def _file_to_dict(file: RecordedFile) -> dict[str, Any]:
    return {
        "name": file.name,
        "stream": file.stream,
        "words": file.words,
        "trailing_bytes": file.trailing_bytes,
        "first_offset": file.first_offset,
        "sha256": file.sha256,
    }


def _state(value: object, where: str) -> State:
    for state in get_args(State):
        if value == state:
            return state  # type: ignore[no-any-return]
    raise expected(" or ".join(map(repr, get_args(State))), where, value)


def _versions(value: object, where: str) -> dict[str, str]:
    return {
        str(name): read_text(version, f"{where}.{name}")
        for name, version in read_mapping(value, where).items()
    }


def _process(value: object, where: str) -> ProcessIdentity:
    return ProcessIdentity(
        **read_fields(
            value,
            where,
            pid=read_count,
            start_ticks=read_count,
            boot=read_text,
            namespace=read_text,
        )
    )


def _file(value: object, where: str) -> RecordedFile:
    found = read_fields(
        value,
        where,
        name=read_text,
        stream=read_text,
        words=read_count,
        trailing_bytes=read_count,
        first_offset=read_count,
        sha256=read_text,
    )
    size = _WORD_BYTES * found["words"] + found.pop("trailing_bytes")
    return RecordedFile(bytes=size, **found)


def _source(value: object, where: str) -> SourceFile:
    found = read_fields(value, where, path=read_text, size=read_count, sha256=read_text)
    return SourceFile(Path(found["path"]), found["size"], found["sha256"])


def _comment(value: object, where: str) -> Comment:
    return Comment(**read_fields(value, where, time=read_time, text=read_text))


def _pause(value: object, where: str) -> RunPause:
    ended = read_optional(read_time)
    return RunPause(**read_fields(value, where, begun=read_time, ended=ended))


_FIELDS = dataclasses.fields(RunRecord)

# Records that are older than these keys are read, too.
_LATER_KEYS = ("comments", "pauses", "ended_by", "statistics")

_READERS: Mapping[str, Reader] = {
    "number": read_count,
    "title": read_text,
    "state": _state,
    "reasons": read_each(read_text),
    "started": read_time,
    "stopped": read_optional(read_time),
    "exit_status": read_optional(read_whole),
    "host": read_text,
    "process": _process,
    "versions": _versions,
    "configuration": read_mapping,
    "modules": read_each(read_mapping),
    "balance": read_mapping,
    "files": read_each(_file),
    "outputs": read_each(read_text),
    "inputs": read_each(_source),
    "notes": read_text,
    "comments": read_each(_comment),
    "pauses": read_each(_pause),
    "ended_by": read_text,
    "statistics": read_each(read_mapping),
}
