"""What can be wrong with the options of the driver `xia`, and what must be told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.xia_crate import build


def mistakes(directory: Path, library: Path) -> Iterator[tuple[str, Any, list[str]]]:
    """Yield what can be wrong: the case, the options, words of the message."""
    empty = directory / "no firmware"
    empty.mkdir()
    none = str(directory / "nowhere")
    yield "firmware is no directory", {"firmware": none}, [none, "no directory", "JSON"]
    yield (
        "a directory without firmware",
        {"firmware": str(empty)},
        [str(empty), "has no JSON files", "name the directory into which XIA's"],
    )
    missing = {"device": "dsp", "path": none, "revision": "F", "frequency": 250}
    yield (
        "a file of firmware is missing",
        {"firmware": [{**missing, "bits": 16}]},
        [none, "there is no such file"],
    )
    yield "a slot twice", {"slots": [2, 3, 2]}, ["2 twice (2, 3, 2)", "take one"]
    yield "a slot that no crate has", {"slots": [2, 15]}, ["15 is not in 2 to 14"]
    yield (
        "a slot without a module",
        {"slots": [2, 7]},
        ["slots 2, 7", "-200", "compare `slots` with the crate", "leave out"],
    )
    yield (
        "more modules than the crate has",
        {"slots": [2, 3, 4, 5, 6]},
        ["slots 2, 3, 4, 5, 6", "-201", "not as many as asked for", "compare `slots`"],
    )
    yield (
        "no library",
        {"library": f"{none}.so"},
        [
            f"{none}.so",
            "no such file",
            "libPixie16Api.so",
            "option `library` or in PIX",
        ],
    )
    old = directory / "old.so"
    build(old, "-DPixieBootCrate=PixieBootOld")
    yield (
        "an older library",
        {"library": str(old)},
        [str(old), "lacks PixieBootCrate", "use that version or a later one"],
    )
    new = directory / "new.so"
    build(new, "-DTEXT_BYTES=300")
    yield (
        "a library with other structures",
        {"library": str(new)},
        [str(new), "in another form than that of PixieSDK 5.3.0", "use that version"],
    )
    content = bytearray(library.read_bytes())
    # The machine in the header of an ELF file: IBM S/390.
    content[18:20] = (22).to_bytes(2, "little")
    other = directory / "other.so"
    other.write_bytes(content)
    yield (
        "a library for another machine",
        {"library": str(other)},
        [str(other), "was built for machine 22", "this Python for", "give its path"],
    )
    text = directory / "text.so"
    text.write_text("<html>404: this page was saved as a library</html>" * 9)
    yield (
        "a library that is none",
        {"library": str(text)},
        [str(text), "is no shared library", "expected XIA's library", "give its path"],
    )
