"""What can be wrong with spectra."""

from __future__ import annotations

from pixie_pipe.errors import PixiePipeError


class SpectraError(PixiePipeError, ValueError):
    """Something about spectra does not fit: a declaration, a part, stored data."""


class FitError(SpectraError):
    """A fit has no result that could be used."""
