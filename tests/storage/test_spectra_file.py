"""The file of histograms: read back as it was, and by h5py alone."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from pixie_pipe.spectra import Spectra, SpectraError
from pixie_pipe.storage import OutputExistsError, read_spectra, write_spectra
from tests.spectra.test_spectra import WHOLE, B, assert_same


@pytest.fixture
def path(tmp_path):
    WHOLE.runs = (7,)
    return write_spectra(tmp_path / "histograms.h5", WHOLE)


def test_it_comes_back(path):
    again = read_spectra(path.parent)
    assert again.names == WHOLE.names
    assert again.runs == (7,)
    for name in WHOLE.names:
        assert again[name].declaration == WHOLE[name].declaration
    total = again + WHOLE
    assert total["matrix"].total == 2 * WHOLE["matrix"].total
    some = read_spectra(path, ["kev", "rate"])
    assert some.names == ["kev", "rate"]
    assert_same(some, read_spectra(path, ["kev", "rate"]))
    assert some["kev"][B].tolist() == WHOLE["kev"][B].tolist()


def test_h5py_alone_reads_it(path):
    with h5py.File(path) as file:
        assert file.attrs["format"] == "pixie_pipe histograms"
        assert file.attrs["events"] == 3000
        group = file["spectrum"]
        assert list(group["counts"].attrs["axes"]) == ["channel", "energy"]
        assert group["channel"][:].tolist() == [(0, 2, 0), (0, 2, 1), (0, 3, 0)]
        assert group["counts"].shape == (3, 66)
        assert group["counts"][1, 1:-1].tolist() == WHOLE["spectrum"][B].tolist()
        edges = group["energy"][:]
        assert (edges[0], edges[1], edges[-1], edges.size) == (0, 1024, 65536, 65)
        assert group["energy"].attrs["label"] == "Energy (ADC units)"
        assert list(file["matrix"]["counts"].attrs["axes"]) == ["x", "y"]
        assert file["matrix"]["counts"].shape == (18, 18)


def test_it_is_not_replaced_unless_that_is_said(path):
    with pytest.raises(OutputExistsError):
        write_spectra(path, WHOLE)
    write_spectra(path, Spectra(), force=True)
    empty = read_spectra(path)
    assert empty.events == 0
    assert empty["energy"].channels == []


def test_large_histograms_have_chunks_of_a_megabyte(tmp_path):
    spectra = Spectra([{"kind": "spectrum", "bins": 65_536}, {"kind": "matrix"}])
    spectra["spectrum"].put([(0, 2, k) for k in range(5)], np.ones((5, 65_538), int))
    path = write_spectra(tmp_path / "large.h5", spectra)
    with h5py.File(path) as file:
        assert file["spectrum"]["counts"].chunks == (1, 65_538)
        assert file["matrix"]["counts"].chunks == (127, 1026)
    assert read_spectra(path)["spectrum"].total == 5 * 65_538


def test_files_that_are_none(tmp_path, path):
    with pytest.raises(SpectraError, match="there is no such file"):
        read_spectra(tmp_path / "other.h5")
    with pytest.raises(SpectraError, match="no histogram 'x'; known: spectrum, some"):
        read_spectra(path, ["x"])
    text = tmp_path / "text.h5"
    text.write_text("no file")
    with pytest.raises(SpectraError, match="cannot be read as a file of histograms"):
        read_spectra(text)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda file: file.attrs.update(format="other"), "its format is 'other'"),
        (lambda file: file.attrs.update(format_version=1), "its version is 1"),
        (lambda file: file["kev"].pop("counts"), "cannot be read"),
        (lambda file: file["rate"].pop("channel"), "histograms: .*channel"),
        (
            lambda file: file["kev"].attrs.update(declaration="{}"),
            "kind is None, expected",
        ),
    ],
)
def test_damaged_files(path, change, words):
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(SpectraError, match=words):
        read_spectra(path)


def test_counts_of_another_shape(path):
    with h5py.File(path, "r+") as file:
        del file["kev"]["counts"]
        file["kev"]["counts"] = np.zeros((3, 5), int)
    with pytest.raises(SpectraError, match=r"whole numbers of shape \(3, 52\)"):
        read_spectra(path)
