"""Which files are one stream, by what they hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from pixie_pipe.storage import RawFileError, Stream, StreamError, assign_streams
from tests.storage.runs import LAYOUT, OTHER, raw_bytes, some_events, written

if TYPE_CHECKING:
    from pathlib import Path

    from pixie_pipe.listmode import Layout


@dataclass
class Entry:
    crate: int
    slot: int
    layout: Layout
    files: list[str] = field(default_factory=list)


def one(
    folder: Path,
    name: str,
    module: tuple[int, int],
    layout: Layout = LAYOUT,
    count: int = 50,
) -> Path:
    return written(
        folder / name, some_events(count, layout=layout, modules=(module,)), layout
    )


def test_files_of_one_module_are_one_stream(tmp_path) -> None:
    a = one(tmp_path, "a", (0, 2))
    b = one(tmp_path, "b", (0, 3))
    c = one(tmp_path, "c", (0, 2))
    assert assign_streams([a, b, c], LAYOUT) == [
        Stream((a, c), LAYOUT),
        Stream((b,), LAYOUT),
    ]


def test_a_file_with_two_modules_joins_their_streams(tmp_path) -> None:
    a = one(tmp_path, "a", (0, 2))
    b = one(tmp_path, "b", (0, 3))
    c = written(tmp_path / "c", some_events(50, modules=((0, 2), (0, 3))))
    assert assign_streams([a, b, c], LAYOUT) == [Stream((a, b, c), LAYOUT)]


def test_a_file_without_a_whole_event_goes_on_with_the_one_before(tmp_path) -> None:
    data = raw_bytes(some_events(10))
    a = written(tmp_path / "a", data[:157])
    b = written(tmp_path / "b", data[157:])
    c = one(tmp_path, "c", (0, 3))
    d = written(tmp_path / "d", b"")
    assert assign_streams([a, b, c, d], LAYOUT) == [
        Stream((a, b), LAYOUT),
        Stream((c, d), LAYOUT),
    ]
    assert assign_streams([d, a, b], LAYOUT) == [Stream((d, a, b), LAYOUT)]
    assert assign_streams([d], LAYOUT) == [Stream((d,), LAYOUT)]


def test_each_module_has_its_layout(tmp_path) -> None:
    a = one(tmp_path, "a", (0, 2))
    b = one(tmp_path, "b", (0, 5), OTHER)
    modules = [Entry(0, 2, LAYOUT), Entry(0, 5, OTHER), Entry(0, 3, LAYOUT)]
    assert assign_streams([b, a], modules) == [
        Stream((b,), OTHER, ((0, 5),)),
        Stream((a,), LAYOUT, ((0, 2), (0, 3))),
    ]


def test_modules_that_name_their_files(tmp_path) -> None:
    a = one(tmp_path, "run_2.bin", (0, 2))
    b = one(tmp_path, "run_10.bin", (0, 2))
    c = one(tmp_path, "c", (0, 3))
    modules = [Entry(0, 2, LAYOUT, [str(tmp_path / "run_*.bin")]), Entry(0, 3, LAYOUT)]
    expected = [Stream((a, b), LAYOUT, ((0, 2),))]
    assert assign_streams([], modules) == expected
    assert assign_streams([a, c], modules) == [
        *expected,
        Stream((c,), LAYOUT, ((0, 3),)),
    ]
    with pytest.raises(StreamError) as caught:
        assign_streams([c], modules[:1])
    assert str(caught.value) == (
        f"{c}: belongs to no module, since every configured module names its own "
        f"files; add it to the files of one"
    )


def test_one_file_named_by_modules_of_two_layouts(tmp_path) -> None:
    a = one(tmp_path, "a", (0, 2))
    modules = [Entry(0, 2, LAYOUT, [str(a)]), Entry(0, 3, OTHER, [str(a)])]
    with pytest.raises(StreamError, match=r"a: modules 0/2, 0/3 name the same files"):
        assign_streams([], modules)
    modules[1].layout = LAYOUT
    assert assign_streams([], modules) == [Stream((a,), LAYOUT, ((0, 2), (0, 3)))]


def test_a_module_that_is_not_configured(tmp_path) -> None:
    a = one(tmp_path, "a", (0, 7))
    with pytest.raises(StreamError) as caught:
        assign_streams([a], [Entry(0, 2, LAYOUT), Entry(0, 3, LAYOUT)])
    assert str(caught.value) == (
        f"{a}: has events of module 0/7 (as layout 500-34688 reads them), expected the "
        f"configured modules 0/2, 0/3; add what is missing to the configuration, or "
        f"leave the file out"
    )


def test_two_layouts_in_one_file(tmp_path) -> None:
    both = raw_bytes(some_events(90, modules=((0, 2),)))
    both += raw_bytes(some_events(90, layout=OTHER, modules=((0, 5),)), OTHER)
    a = written(tmp_path / "a", both)
    with pytest.raises(StreamError, match=r"expected one layout in a file; name the"):
        assign_streams([a], [Entry(0, 2, LAYOUT), Entry(0, 5, OTHER)])


def test_what_cannot_be_read(tmp_path) -> None:
    a = one(tmp_path, "a", (0, 2))
    with pytest.raises(RawFileError, match=r"b: there is no such file$"):
        assign_streams([a, tmp_path / "b"], LAYOUT)
    with pytest.raises(RawFileError, match="but most do in "):
        assign_streams([a], OTHER)
    with pytest.raises(RawFileError, match=r"expected at least one path$"):
        assign_streams([], LAYOUT)
    with pytest.raises(RawFileError, match=r"expected at least one path$"):
        assign_streams([], [Entry(0, 2, LAYOUT)])
    noise = written(tmp_path / "c", b"text" * 100)
    with pytest.raises(RawFileError, match="nothing decodes in the first 100 words"):
        assign_streams([noise], LAYOUT)
