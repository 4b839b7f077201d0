"""The result of ``pixie-pipe inspect --json``.

One JSON document. Times are integers in ps, rates in Hz, energies in ADC units;
what cannot be computed is null. Numbers of events count the events of one module,
from 0. Its keys:

``format``
    1; a change that breaks readers raises it.
``pixie_pipe``
    Version of the program.
``streams``
    For each stream: ``files`` (``path``, ``size_bytes``), ``layout`` (all fields of
    the layout), ``events``, and ``balance`` in words: ``read``, ``decoded``,
    ``rejected``, ``leftover``, beside ``trailing_bytes`` and ``closes``.
``events``, ``balance``
    The same for all streams together.
``modules``
    For each: ``crate``, ``slot``, ``events``, ``header_lengths`` and
    ``trace_lengths`` (events by length in words and in samples), ``first_ps``,
    ``last_ps``, ``span_ps``, ``rate_hz``, ``largest_step_ps`` and
    ``largest_step_event``, ``gaps`` (the first ten: ``event``, ``before_ps``,
    ``after_ps``) and ``gap_count``, ``disorder``, ``largest_back_ps`` and
    ``largest_back_event``, ``resets`` (as ``gaps``) and ``reset_count``.
``channels``
    For each: ``crate``, ``slot``, ``channel``, ``events``, ``pileup``,
    ``out_of_range``, ``cfd_valid``, ``cfd_forced``, ``cfd_off``, ``rate_hz``, and
    ``spectrum``: ``energy_per_bin``, and ``counts`` from energy 0 up to the last bin
    that is not empty.
``rejected``
    ``stretches`` and ``words``; ``reasons`` (``reason``, ``description``,
    ``stretches``, ``words``); ``first``, as many as asked for: ``path``,
    ``word_offset`` and ``byte_offset`` in that file, ``word_count``, ``reason``.
``notes``
    Sentences on what is not as a complete run leaves it.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from pixie_pipe._version import __version__
from pixie_pipe.listmode.result import Balance
from pixie_pipe.storage.inspection import Inspection, Rejection, StreamInspection
from pixie_pipe.storage.survey import ChannelSurvey

_FORMAT = 1


def write(inspection: Inspection, channels: Sequence[ChannelSurvey]) -> None:
    """Print the document to stdout."""
    document = {
        "format": _FORMAT,
        "pixie_pipe": __version__,
        "streams": list(map(_stream, inspection.streams)),
        "events": inspection.survey.events,
        "balance": _balance(inspection.balance),
        "modules": [dataclasses.asdict(row) for row in inspection.survey.modules],
        "channels": list(map(_channel, channels)),
        "rejected": _rejected(inspection),
        "notes": inspection.notes,
    }
    json.dump(document, sys.stdout, allow_nan=False)
    sys.stdout.write("\n")


def _stream(stream: StreamInspection) -> dict[str, Any]:
    return {
        "files": [
            {"path": str(source.path), "size_bytes": source.size}
            for source in stream.sources
        ],
        "layout": stream.stream.layout.to_dict(),
        "events": stream.events,
        "balance": _balance(stream.balance),
    }


def _balance(balance: Balance) -> dict[str, Any]:
    return {**dataclasses.asdict(balance), "closes": balance.closes}


def _channel(channel: ChannelSurvey) -> dict[str, Any]:
    values = {
        field.name: getattr(channel, field.name)
        for field in dataclasses.fields(channel)
    }
    counts = values.pop("spectrum")
    if counts is None:
        return {**values, "spectrum": None}
    used = int(np.flatnonzero(counts)[-1]) + 1
    spectrum = {
        "energy_per_bin": channel.energy_per_bin,
        "counts": counts[:used].tolist(),
    }
    return {**values, "spectrum": spectrum}


def _rejected(inspection: Inspection) -> dict[str, Any]:
    return {
        "stretches": inspection.rejected_stretches,
        "words": inspection.balance.rejected,
        "reasons": [
            {
                "reason": count.reason.name.lower(),
                "description": count.reason.description,
                "stretches": count.stretches,
                "words": count.words,
            }
            for count in inspection.rejection_counts
        ],
        "first": list(map(_rejection, inspection.rejections)),
    }


def _rejection(rejection: Rejection) -> dict[str, Any]:
    return {
        "path": str(rejection.path),
        "word_offset": rejection.byte_offset // 4,
        "byte_offset": rejection.byte_offset,
        "word_count": rejection.word_count,
        "reason": rejection.reason.name.lower(),
    }
