"""Made-up spectra of sources: lines on a falling background."""

from __future__ import annotations

import math

import numpy as np

from pixie_pipe.spectra import Spectra, parse_channel

GAIN, OFFSET = 0.07, 1.2
"""keV of an ADC unit, and at 0."""

CHANNELS = ("c0-s02-ch00", "c0-s02-ch01")


def resolution_kev(kev):
    """Return the full width at half maximum of a scintillator."""
    return math.sqrt(0.65**2 * kev + 3.0**2)


def made_up_spectra(lines, seed=1, *, run=1, channels=CHANNELS, curve=0.0, other=()):
    """Return histograms of a run with a source.

    Parameters
    ----------
    lines
        (keV, counts) of the lines.
    curve
        keV of a squared ADC unit.
    other
        (keV, counts, width) of bumps that are no lines.
    """
    rng = np.random.default_rng(seed)
    spectra = Spectra(
        [{"kind": "spectrum", "name": "energy", "bins": 8192, "range": [0, 32768]}]
    )
    bins = []
    for number in range(len(channels)):
        gain = GAIN * (1 + 0.05 * number)
        parts = [rng.exponential(300, 30_000)]
        parts += [
            rng.normal(kev, resolution_kev(kev) / 2.3548, count) for kev, count in lines
        ]
        parts += [rng.normal(kev, width, count) for kev, count, width in other]
        kev = np.concatenate(parts)
        linear = (kev - OFFSET) / gain
        adc = linear - curve * linear**2 / gain
        # A module gives whole numbers: the nearest ones.
        whole = np.rint(adc)
        bins.append(np.histogram(whole, 8192, (0, 32768))[0])
    counts = np.zeros((len(channels), 8194), np.int64)
    counts[:, 1:-1] = bins
    spectra["energy"].put([parse_channel(name) for name in channels], counts)
    spectra.events = int(counts.sum())
    spectra.runs = (run,)
    return spectra


NA22 = [(510.99895, 12_000), (1274.537, 3000)]
CO60 = [(1173.228, 3000), (1332.492, 2800)]
CS137 = [(661.657, 9000)]
AM241 = [(59.5409, 8000)]
