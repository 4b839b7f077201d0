"""Where compiled kernels are kept, and which of them are there; without numba.

The directory carries the version of pixie_pipe and a digest of its sources. Numba
itself notices a change in the file of a kernel, but not in another file whose functions
it calls; a new directory for each state of the sources closes that gap.

Environment
-----------
PIXIE_PIPE_CACHE_DIR
    Where compiled kernels are kept, instead of the user's cache directory.
PIXIE_PIPE_BOUNDSCHECK
    ``1`` compiles every kernel with checks of array bounds, for the tests.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import sys
from importlib import metadata, resources
from pathlib import Path

import platformdirs

from pixie_pipe._version import __version__

logger = logging.getLogger(__name__)

BOUNDSCHECK = os.environ.get("PIXIE_PIPE_BOUNDSCHECK", "") == "1"

# Where kernels are, and the constants and functions that they use.
_KERNEL_PACKAGES = ("events", "kernels", "listmode", "simulation", "timing")


@functools.cache
def cache_directory() -> Path | None:
    """Return the directory of the compiled kernels, or None if none can be made."""
    root = os.environ.get("PIXIE_PIPE_CACHE_DIR") or platformdirs.user_cache_dir(
        "pixie_pipe"
    )
    python = f"py{sys.version_info.major}{sys.version_info.minor}"
    checked = "-boundscheck" if BOUNDSCHECK else ""
    numba = metadata.version("numba")
    directory = Path(root) / (
        f"kernels-{__version__}-{_source_digest()}-numba{numba}-{python}{checked}"
    )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if not os.access(directory, os.W_OK):
            raise PermissionError(13, "directory is not writable", str(directory))
    except OSError as error:
        logger.warning(
            "compiled kernels are not kept: %s; every process compiles them anew "
            "(set PIXIE_PIPE_CACHE_DIR to a writable directory)",
            error,
        )
        return None
    return directory


def _source_digest() -> str:
    digest = hashlib.sha256()
    package = resources.files("pixie_pipe")
    for folder in _KERNEL_PACKAGES:
        entries = sorted((package / folder).iterdir(), key=lambda entry: entry.name)
        for entry in entries:
            if entry.name.endswith(".py"):
                digest.update(entry.name.encode())
                digest.update(entry.read_bytes())
    return digest.hexdigest()[:12]


def is_warm(name: str) -> bool:
    """Tell whether a group of kernels was compiled and kept; see `note_warm`."""
    directory = cache_directory()
    return directory is not None and (directory / f"{name}.warm").exists()


def note_warm(name: str) -> None:
    """Note that a group of kernels is compiled, by a file beside them."""
    directory = cache_directory()
    if directory is not None:
        # Who cannot write it compiles, or loads, once more.
        with contextlib.suppress(OSError):
            (directory / f"{name}.warm").touch()
