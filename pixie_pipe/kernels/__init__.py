"""Numba kernels on columns: arrays in, arrays out, no files and no sockets."""

from __future__ import annotations
