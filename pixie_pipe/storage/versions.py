"""Versions of what a file was made with."""

from __future__ import annotations

from importlib import metadata

from pixie_pipe._version import __version__

_PACKAGES = ("numpy", "numba", "h5py", "hdf5plugin")


def versions(*more: str) -> dict[str, str]:
    """Return the versions of pixie_pipe and of the packages that it works with.

    Parameters
    ----------
    *more
        Names of further packages.
    """
    found = {name: metadata.version(name) for name in (*_PACKAGES, *more)}
    return {"pixie_pipe": __version__, **found}
