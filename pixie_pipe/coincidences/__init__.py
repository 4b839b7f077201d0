"""Coincidences: groups of events built in a time window, and what they tell."""

from __future__ import annotations

from pixie_pipe.coincidences.addback import Addback, addback
from pixie_pipe.coincidences.build import build_coincidences, define_coincidences
from pixie_pipe.coincidences.channels import ChannelChoice, choose_channels
from pixie_pipe.coincidences.container import Coincidences
from pixie_pipe.coincidences.pairs import (
    EnergyMatrix,
    TimeHistogram,
    energy_matrix,
    time_difference_histogram,
    time_differences,
)
from pixie_pipe.kernels.channel_table import ChannelError, ChannelRange
from pixie_pipe.kernels.coincidence_definition import (
    CoincidenceDefinition,
    CoincidenceError,
    Mode,
)

__all__ = [
    "Addback",
    "ChannelChoice",
    "ChannelError",
    "ChannelRange",
    "CoincidenceDefinition",
    "CoincidenceError",
    "Coincidences",
    "EnergyMatrix",
    "Mode",
    "TimeHistogram",
    "addback",
    "build_coincidences",
    "choose_channels",
    "define_coincidences",
    "energy_matrix",
    "time_difference_histogram",
    "time_differences",
]


def __dir__() -> list[str]:
    return __all__
