"""Values of one trace in plain Python, straight from the definitions in docs/traces.md.

Nothing here is shared with the package but the names of the settings and the bits of
the status.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pixie_pipe.traces import TraceStatus
from tests.support.traces import Trace, answer, fast

if TYPE_CHECKING:
    from pixie_pipe.traces import TraceSettings

NAN = math.nan


@dataclass
class Oracle:
    """Values of a trace, each computed by itself.

    Attributes
    ----------
    x
        The samples.
    s
        The settings.
    timestamp
        Timestamp of the trigger, None if it is not known.
    header
        Baseline of the header, None if it has none.
    """

    x: Trace
    s: TraceSettings
    timestamp: int | None = None
    header: float | None = None

    def __post_init__(self) -> None:
        self.status = TraceStatus(0)
        self.saturated = not self.x or min(self.x) == 0 or max(self.x) >= self._most()
        quiet = self.x[: self.samples(self.s.baseline_us, least=1)]
        first = self.samples(self.s.pulse_from_us)
        end = len(self.x)
        if self.s.pulse_to_us is not None:
            end = min(self.samples(self.s.pulse_to_us, least=first + 1), end)
        self.top = -1
        self.base = self.height = self.noise = NAN
        has_quiet = len(quiet) == self.samples(self.s.baseline_us, least=1)
        if has_quiet and first < end:
            self.top = max(range(first, end), key=lambda k: (self.x[k], -k))
            self.base = sum(quiet) / len(quiet)
            self.height = self.x[self.top] - self.base
            mean = sum(value**2 for value in quiet) - sum(quiet) ** 2 / len(quiet)
            self.noise = math.sqrt(max(mean, 0) / len(quiet))
        else:
            self.status |= TraceStatus.TOO_SHORT

    def _most(self) -> int:
        return int(2**self.s.adc_bits) - 1

    def samples(self, time_us: float, *, least: int = 0) -> int:
        return max(round(time_us * self.s.frequency_msps), least)

    @property
    def is_pulse(self) -> bool:
        least = self.s.trigger_threshold or 8 * self.noise
        return self.height > 0 and self.height >= least

    # The fast filter

    def triggers(self) -> list[int] | None:
        """Return where the filter comes to the threshold; None if it is refused."""
        assert self.s.trigger_rise_us is not None
        assert self.s.trigger_threshold is not None
        length = self.samples(self.s.trigger_rise_us, least=1)
        gap = self.samples(self.s.trigger_flat_us)
        if len(self.x) < 2 * (2 * length + gap):
            return None
        above = [v >= self.s.trigger_threshold for v in fast(self.x, length, gap)]
        first = 2 * length + gap - 1
        above[:first] = [False] * first
        return [k for k in range(first, len(above)) if above[k] and not above[k - 1]]

    def pulses(self) -> int:
        found = self.triggers()
        if found is None:
            self.status |= TraceStatus.TOO_SHORT
            return -1
        if not found:
            self.status |= TraceStatus.NO_PULSE
        return len(found)

    # The energy filter

    def energy_end(self) -> int | None:
        """Return the end of the windows; None without a trigger."""
        s = self.s
        assert s.energy_rise_us is not None
        length = self.samples(s.energy_rise_us, least=1)
        delay = length + self.samples(s.energy_flat_us) // 2
        if s.energy_delay_us is not None:
            delay = self.samples(s.energy_delay_us)
        if s.trace_delay_us is None:
            found = self.triggers()
            if not found:
                self.pulses()  # for the status
                return None
            return found[0] + delay
        end = self.samples(s.trace_delay_us) + delay
        tick = {100: 1, 250: 2, 500: 5}[s.frequency_msps]
        grid = 2 ** (s.slow_filter_range or 0)
        while self.timestamp is not None and (self.timestamp + delay // tick) % grid:
            end, delay = end + tick, delay + tick
        return end

    def energy(self) -> Any:
        s = self.s
        assert s.energy_rise_us is not None
        assert s.tau_us is not None
        length = self.samples(s.energy_rise_us, least=1)
        gap = self.samples(s.energy_flat_us)
        end = self.energy_end()
        if end is None or self.saturated:
            return NAN
        if end < 2 * length + gap or end > len(self.x):
            self.status |= TraceStatus.TOO_SHORT
            return NAN
        filtered = (length, gap, s.tau_us * 1e3, 1e3 / s.frequency_msps)
        scale = 2 ** (16 - s.adc_bits)
        value = scale * answer(self.x, end, *filtered)
        if s.energy_baseline == "header":
            if self.header is None:
                self.status |= TraceStatus.NO_SUMS
                return NAN
            return value - self.header
        reach = 2 * length + gap
        if s.energy_baseline == "filter":
            return value - scale * answer(self.x, reach, *filtered)
        # The filter is linear: its answer to the mean is the mean times that to one.
        return value - scale * self.base * answer([1] * reach, reach, *filtered)

    # Times

    def module_time(self) -> float:
        """Return the time by the CFD of the module, by its definition."""
        s, n = self.s, len(self.x)
        found = self.triggers()
        if not found or self.saturated:
            self.pulses()
            return NAN
        if s.frequency_msps == 500:
            if n < 12:
                self.status |= TraceStatus.TOO_SHORT
                return NAN
            cfd = [float(self._fixed(min(max(k, 10), n - 2))) for k in range(n)]
        else:
            assert s.trigger_rise_us is not None
            assert s.cfd_delay_us is not None
            length = self.samples(s.trigger_rise_us, least=1)
            delay = self.samples(s.cfd_delay_us, least=1)
            if n <= delay:
                self.status |= TraceStatus.TOO_SHORT
                return NAN
            ff = fast(self.x, length, self.samples(s.trigger_flat_us))
            cfd = [
                (s.cfd_fraction * ff[max(k, delay)] - ff[max(k, delay) - delay])
                * length
                for k in range(n)
            ]
        ticks = {100: 1, 250: 2, 500: 5}[s.frequency_msps]
        armed = False
        for k in range(found[0], min(found[0] + 32 * ticks, n - 1)):
            armed = armed or cfd[k] >= s.cfd_threshold
            if armed and cfd[k] > 0 >= cfd[k + 1]:
                return (k + cfd[k] / (cfd[k] - cfd[k + 1])) * 1e3 / s.frequency_msps
        self.status |= TraceStatus.NOT_FOUND
        return NAN

    def _fixed(self, k: int) -> int:
        x = self.x
        return (x[k] + x[k + 1]) - 2 * (x[k - 5] + x[k - 4]) + (x[k - 10] + x[k - 9])

    def sample_times(self) -> list[float]:
        """Return the time by a CFD on the samples; several where a cubic allows it."""
        s = self.s
        assert s.cfd_delay_us is not None
        if not self._has_shape():
            return [NAN]
        delay = self.samples(s.cfd_delay_us, least=1)
        if len(self.x) <= delay:
            self.status |= TraceStatus.TOO_SHORT
            return [NAN]
        y = [value - self.base for value in self.x]
        cfd = [NAN] * delay + [
            s.cfd_fraction * y[k] - y[k - delay] for k in range(delay, len(y))
        ]
        last = min(self.top + delay, len(y) - 1)
        falls = [k for k in range(delay, last) if cfd[k] > 0 >= cfd[k + 1]]
        if not falls:
            self.status |= TraceStatus.NOT_FOUND
            return [NAN]
        k = falls[-1]
        fractions = [cfd[k] / (cfd[k] - cfd[k + 1])]
        if s.cfd_interpolation == "cubic" and delay < k < len(y) - 2:
            points = np.polyfit([-1, 0, 1, 2], cfd[k - 1 : k + 3], 3)
            roots = np.roots(points)
            fractions = [
                float(root.real)
                for root in roots
                if abs(root.imag) < 1e-3 and -1e-3 < root.real < 1 + 1e-3
            ]
        return [(k + part) * 1e3 / s.frequency_msps for part in fractions]

    # Shapes

    def _has_shape(self) -> bool:
        if self.saturated or self.top < 0:
            return False
        if not self.is_pulse:
            self.status |= TraceStatus.NO_PULSE
            return False
        return True

    def _rise_to(self, part: float) -> float:
        """Return where the samples rise to a part of the height, for the last time."""
        level = self.base + part * self.height
        below = [k for k in range(self.top) if self.x[k] < level]
        if not below:
            self.status |= TraceStatus.NOT_FOUND
            return NAN
        k = below[-1]
        return k + (level - self.x[k]) / (self.x[k + 1] - self.x[k])

    def rise(self) -> float:
        if not self._has_shape():
            return NAN
        first = self._rise_to(0.1)
        if math.isnan(first):
            return NAN
        return (self._rise_to(0.9) - first) * 1e3 / self.s.frequency_msps

    def tau(self) -> float:
        if not self._has_shape():
            return NAN
        x, top = self.x, self.top
        if self.s.tau_fit == "sums":
            behind = range(top + 1, len(x))
            end = min(behind, key=lambda k: (x[k], k)) if behind else top + 1
        else:
            least = self.base + 0.1 * self.height
            low = [k for k in range(top + 1, len(x)) if x[k] < least]
            end = low[0] if low else len(x)
        cut = (end - top) // 10
        y = x[top + cut : end - cut]
        rate = NAN
        if len(y) >= 3:
            rate = self._rate_of_sums(y)
            if self.s.tau_fit == "log-linear":
                rate = self._rate_of_line(y)
        if not rate > 0:
            self.status |= TraceStatus.NOT_FOUND
            return NAN
        return 1e3 / self.s.frequency_msps / rate

    def _rate_of_sums(self, y: Trace) -> float:
        n = len(y)
        sums = [
            sum(v * (j * n**2 - 3 * j**2 * n + 2 * j**3) for v, j in zip(y, js))  # noqa: B905
            for js in (range(1, n + 1), range(n))
        ]
        if sums[1] == 0 or sums[0] / sums[1] <= 0:
            return NAN
        return math.log(sums[0] / sums[1])

    def _rate_of_line(self, y: Trace) -> float:
        above = np.array(y) - self.base
        # Polyfit squares its weights.
        return -float(np.polyfit(np.arange(len(y)), np.log(above), 1, w=above)[0])

    def charges(self, *, needs_part: bool = True) -> tuple[float, float]:
        """Return the charge, and the part of it behind the short window."""
        s = self.s
        assert s.charge_long_us is not None
        if not self._has_shape():
            return NAN, NAN
        level = self.base + 0.1 * self.height
        below = [k for k in range(self.top) if self.x[k] < level]
        if not below:
            self.status |= TraceStatus.NOT_FOUND
            return NAN, NAN
        first = below[-1] + 1 - self.samples(s.charge_before_us)
        length = self.samples(s.charge_long_us)
        if first < 0 or first + length > len(self.x):
            self.status |= TraceStatus.TOO_SHORT
            return NAN, NAN
        above = [value - self.base for value in self.x[first : first + length]]
        if s.charge_short_us is None or not needs_part:
            return sum(above), NAN
        if sum(above) <= 0:
            self.status |= TraceStatus.NOT_FOUND
            return sum(above), NAN
        return sum(above), sum(above[self.samples(s.charge_short_us) :]) / sum(above)
