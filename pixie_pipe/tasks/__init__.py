"""The built-in tasks, one file each; other directories are added to its path."""

from __future__ import annotations


def warm_up() -> None:
    """Load the compiled kernels, or compile them, before processes are forked."""
    from pixie_pipe.tasks._warm_up import warm_up

    warm_up()
