"""Finding and loading XIA's library, and what its return codes become."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixie_pipe.drivers import known_drivers
from pixie_pipe.drivers._xia_errors import XiaError, meaning_of
from pixie_pipe.drivers._xia_functions import FUNCTIONS
from pixie_pipe.drivers._xia_library import ENVIRONMENT, XiaLibrary
from pixie_pipe.drivers.xia import LibraryError, XiaDigitizer
from tests.support.xia_crate import build

CODES = [
    *(100, 101, 102, *range(200, 219), *range(300, 307), *range(400, 409)),
    *(*range(500, 512), *range(600, 603), *range(700, 706), *range(800, 808)),
    *(900, 901, 902, 903, 990),
]


def test_it_is_a_driver_and_its_parts_are_none():
    assert [name for name in known_drivers() if "xia" in name] == ["xia"]


def test_the_path_may_come_from_the_environment(library_path, monkeypatch, tmp_path):
    monkeypatch.setenv(ENVIRONMENT, str(library_path))
    monkeypatch.chdir(tmp_path)
    with XiaDigitizer([2]) as digitizer:
        assert digitizer.modules[0].slot == 2


def test_a_path_that_is_given_comes_before_the_environment(library_path, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, "/none.so")
    assert XiaLibrary(library_path).path == str(library_path)


def test_without_a_path_the_system_is_asked(monkeypatch):
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    with pytest.raises(
        LibraryError, match=rf"was not found .*`library` or in {ENVIRONMENT}"
    ):
        XiaLibrary()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(LibraryError, match=r"none\.so: there is no such file"):
        XiaLibrary(tmp_path / "none.so")


def test_what_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(LibraryError, match="cannot be read: Is a directory"):
        XiaLibrary(tmp_path)


def test_what_is_no_library_is_refused(tmp_path):
    path = tmp_path / "lib.so"
    path.write_text("not a library, but long enough for one")
    with pytest.raises(LibraryError, match="is no shared library of Linux"):
        XiaLibrary(path)


@pytest.mark.parametrize(
    ("place", "value", "text"),
    [(18, 183, r"built for ARM-64 \(64 bits"), (4, 1, r"built for x86-64 \(32 bits")],
)
def test_another_architecture_is_named(library_path: Path, place, value, text):
    if library_path.read_bytes()[18] != 62:
        pytest.skip("the texts are those of x86-64")
    content = bytearray(library_path.read_bytes())
    content[place] = value
    library_path.write_bytes(content)
    with pytest.raises(LibraryError, match=text):
        XiaLibrary(library_path)


def test_a_library_that_is_cut_off_is_refused(library_path: Path):
    # Loading it would end the process with a bus error.
    library_path.write_bytes(library_path.read_bytes()[:-1])
    with pytest.raises(LibraryError, match="is cut off"):
        XiaLibrary(library_path)


def test_what_the_system_refuses_to_load_is_refused(library_path: Path):
    content = bytearray(library_path.read_bytes())
    content[16] = 1  # an object file
    library_path.write_bytes(content)
    with pytest.raises(LibraryError, match=r"cannot be loaded: .*ldd"):
        XiaLibrary(library_path)


def test_missing_functions_are_named_with_the_version(compiled, tmp_path):
    path = tmp_path / "libPixie16Api.so"
    # An older library: it has other names.
    build(path, "-DPixieBootCrate=PixieBootOld", "-DPixie16EndRun=Pixie16EndOld")
    with pytest.raises(
        LibraryError, match=r"lacks Pixie16EndRun, PixieBootCrate; .*PixieSDK 5\.3\.0"
    ):
        XiaLibrary(path)


def test_structures_of_another_version_are_noticed(compiled, tmp_path):
    for other in ("TEXT_BYTES=300", "TEXT_BYTES=200", "MORE_BYTES=64"):
        path = tmp_path / other / "libPixie16Api.so"
        path.parent.mkdir()
        build(path, f"-D{other}")
        digitizer = XiaDigitizer([2, 3], library=path, log_directory=tmp_path)
        with pytest.raises(
            LibraryError, match=r"slot 2 in another form than .* 5\.3\.0.*use that"
        ):
            digitizer.open()


def test_all_functions_are_declared(library_path: Path):
    library = XiaLibrary(library_path)
    for name in FUNCTIONS:
        assert getattr(library._library, name).argtypes is not None


def test_no_text_has_rests_of_a_longer_one(library_path: Path):
    library = XiaLibrary(library_path)
    assert library.text_of(-602) == "not the JSON that was expected"
    assert library.text_of(-807) == "not enough"
    assert library.text_of(-1) == "unknown code"


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_sentence_of_its_own(code):
    told = str(XiaError("Pixie16Some", code, "its text", slot=3, detail="this"))
    assert told.startswith(
        f"slot 3: Pixie16Some (this) failed with code -{code}, which XIA calls "
        f"'its text': "
    )
    assert len(meaning_of(code)) > 20
    assert "does not know this code" not in told


def test_a_code_that_nobody_knows_is_told():
    assert "does not know this code" in str(XiaError("Pixie16Some", 555, "?"))


def test_the_texts_of_303_and_304_are_put_right(make):
    with make() as digitizer, pytest.raises(XiaError) as caught:
        digitizer.read_channel("CHANNEL_CSRB", 0, 0)
    assert caught.value.code == 304
    assert caught.value.text == "channel index is not valid"
    assert "has switched this channel parameter off" in str(caught.value)
    assert "swapped" in str(caught.value)


def test_functions_that_return_numbers_return_errors_too(make, xia):
    with make() as digitizer:
        xia.call.test_damage_statistics(1)
        with pytest.raises(XiaError, match="slot 3: Pixie16ComputeRealTime") as caught:
            digitizer.statistics(1)
        assert caught.value.code == 802


def test_errors_name_the_log(make, tmp_path):
    told = r"XIA's log tells more: .*Pixie16Msg\.log"
    with make() as digitizer, pytest.raises(XiaError, match=told):
        digitizer.read_channel("NONE", 0, 0)
    assert (tmp_path / "Pixie16Msg.log").is_file()
