"""How kernels are compiled: one decorator, one cache directory, one lock.

Compiled kernels are kept on disk, in the directory of `_kernel_cache`.

Several processes may compile the same kernel for the first time at once. Numba
numbers the files of a kernel without a lock, so two processes that save
different signatures can take the same number, and one then loads the other's
machine code. Loading and saving are therefore done under a file lock.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numba
import numpy as np
from numba.core import caching
from numpy.typing import NDArray

from pixie_pipe._kernel_cache import BOUNDSCHECK, cache_directory

Kernel = TypeVar("Kernel", bound=Callable[..., Any])
Scalar = TypeVar("Scalar", bound=np.generic)


@contextmanager
def _cache_lock() -> Iterator[None]:
    directory = cache_directory()
    assert directory is not None
    with (directory / "lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


class _LockedCache(caching.FunctionCache):  # type: ignore[misc]  # numba has no types
    """Numba's cache of one kernel, with loading and saving under the file lock."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        with _cache_lock():
            return super().load_overload(sig, target_context)

    def save_overload(self, sig: Any, data: Any) -> None:
        with _cache_lock():
            super().save_overload(sig, data)


def read_only(array: NDArray[Scalar]) -> NDArray[Scalar]:
    """Return a view that cannot be written to.

    Numba compiles a kernel once for arrays that can be written to and once for those
    that cannot: a kernel that gets such views is compiled once.
    """
    view = array.view()
    view.flags.writeable = False
    return view


def jit(function: Kernel) -> Kernel:
    """Compile `function` as a kernel: no Python objects, cached on disk, no GIL.

    Division by zero gives what the processor gives (no exception), and array
    bounds are not checked unless ``PIXIE_PIPE_BOUNDSCHECK=1``.
    """
    return _compiled(function)


def jit_part(function: Kernel) -> Kernel:
    """Compile a function that only kernels call, as `jit`; Python cannot call it.

    The code that takes arguments from Python need not be compiled then.
    """
    return _compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def _compiled(function: Kernel, **options: bool) -> Kernel:
    dispatcher = numba.njit(
        nogil=True,
        error_model="numpy",
        boundscheck=BOUNDSCHECK,
        cache=False,
        **options,
    )(function)
    directory = cache_directory()
    if directory is not None and not numba.config.DISABLE_JIT:
        previous = numba.config.CACHE_DIR
        numba.config.CACHE_DIR = str(directory)
        try:
            dispatcher._cache = _LockedCache(dispatcher.py_func)
        finally:
            numba.config.CACHE_DIR = previous
    return dispatcher  # type: ignore[no-any-return]  # numba has no types
