"""The built-in tasks, one file each; other directories are added to its path."""

from __future__ import annotations


def warm_up() -> None:
    """Load the compiled kernels, or compile them, before processes are forked."""
    from pixie_pipe.tasks._warm_up import warm_up

    warm_up()


def warm_up_simulation() -> None:
    """Do the same for the kernels that simulate modules."""
    from pixie_pipe.tasks._warm_up_simulation import warm_up_simulation

    warm_up_simulation()


def warm_up_coincidences() -> None:
    """Do the same for the kernels that build coincidences."""
    from pixie_pipe.tasks._warm_up_coincidences import warm_up_coincidences

    warm_up_coincidences()


def warm_up_spectra() -> None:
    """Do the same for the kernels that fill histograms."""
    from pixie_pipe.tasks._warm_up_spectra import warm_up_spectra

    warm_up_spectra()


def warm_up_traces() -> None:
    """Do the same for the kernels that compute values of traces."""
    from pixie_pipe.tasks._warm_up_traces import warm_up_traces

    warm_up_traces()


def warm_up_times() -> None:
    """Do the same for the kernels that give wall times."""
    from pixie_pipe.tasks._warm_up_times import warm_up_times

    warm_up_times()
