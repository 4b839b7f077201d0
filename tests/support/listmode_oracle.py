"""The list-mode format in plain Python, written from its description.

Nothing here is shared with the package: bit positions are spelled out again, and
the decoder is the rule of docs/format.md word by word, without regard to speed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from fractions import Fraction
from math import floor
from typing import Any

HEADER_LENGTHS = {
    4: "",
    6: "x",
    8: "s",
    10: "sx",
    12: "q",
    14: "qx",
    16: "sq",
    18: "sqx",
}
"""Optional blocks by header length: (s)ums, (q)dc, e(x)ternal time."""

# (MSPS, first revision, last revision + 1, generation, ids, CFD bits)
# CFD bits: forced, source, fraction, from bit 31 of word 2 down.
GENERATIONS = [
    (100, 17562, 29432, 0, "narrow", (0, 0, 16)),
    (100, 29432, 30474, 1, "narrow", (0, 0, 16)),
    (100, 30474, 34688, 1, "narrow", (1, 0, 15)),
    (100, 34688, None, 2, "narrow", (1, 0, 15)),
    (250, 20466, 27361, 0, "narrow", (0, 0, 16)),
    (250, 27361, 29432, 0, "narrow", (0, 1, 15)),
    (250, 29432, 30474, 1, "narrow", (0, 1, 15)),
    (250, 30474, 34688, 1, "narrow", (1, 1, 14)),
    (250, 34688, 46540, 2, "narrow", (1, 1, 14)),
    (250, 46540, None, 2, "wide", (1, 1, 14)),
    (500, 29432, 34688, 1, "narrow", (0, 3, 13)),
    (500, 34688, None, 2, "narrow", (0, 3, 13)),
]


def bits(word: int, high: int, low: int) -> int:
    """Return bits `high` to `low` of a word."""
    return (word >> low) & ((1 << (high - low + 1)) - 1)


class Format:
    """One of the generations, with what a user may restrict."""

    def __init__(
        self,
        frequency: int,
        revision: int,
        modules: Collection[tuple[int, int]] | None = None,
        max_event_length: int | None = None,
    ) -> None:
        for row in GENERATIONS:
            begun = row[0] == frequency and row[1] <= revision
            if begun and (row[2] is None or revision < row[2]):
                _, _, _, self.generation, self.ids, self.cfd_bits = row
        self.frequency = frequency
        self.revision = revision
        self.modules = modules
        self.max_event_length = max_event_length or 1 << 20

    # Fields of single words ------------------------------------------------------

    def event_length(self, word0: int) -> int:
        return bits(word0, 29 if self.generation == 0 else 30, 17)

    def module(self, word0: int) -> tuple[int, int]:
        if self.ids == "wide":
            return bits(word0, 11, 10), bits(word0, 9, 6)
        return bits(word0, 11, 8), bits(word0, 7, 4)

    def trace_length(self, word3: int) -> int:
        return bits(word3, 30 if self.generation == 2 else 31, 16)

    # Plausibility -----------------------------------------------------------------

    def judge(self, words: Sequence[int], at: int) -> int:  # noqa: PLR0911
        """Return 0 or the number of the reason; word 3 only if it is there."""
        word0 = words[at]
        header = bits(word0, 16, 12)
        length = self.event_length(word0)
        if header not in HEADER_LENGTHS:
            return 1
        if "x" in HEADER_LENGTHS[header] and self.revision < 30980:
            return 1
        if length < header:
            return 2
        if length > self.max_event_length:
            return 3
        if self.modules is None:
            if not 2 <= self.module(word0)[1] <= 14:
                return 4
        elif self.module(word0) not in self.modules:
            return 4
        if at + 3 >= len(words):
            return 0
        trace = self.trace_length(words[at + 3]) // 2
        return 0 if length == header + trace else 2

    def run_starts(
        self,
        words: Sequence[int],
        at: int,
        trusted: Collection[tuple[int, int]] | None = None,
    ) -> bool:
        """Tell whether three plausible headers, or fewer up to the end, begin here."""
        for whole in range(3):
            if at == len(words):
                return whole > 0
            if self.judge(words, at):
                return False
            if trusted is not None and self.module(words[at]) not in trusted:
                return False
            if at + 4 > len(words):
                return whole > 0
            at += self.event_length(words[at])
            if at > len(words):
                return whole > 0
        return True

    # Streams ----------------------------------------------------------------------

    def walk(
        self, words: Sequence[int]
    ) -> tuple[list[int], list[tuple[int, int, int]], int]:
        """Return positions of events, rejections, and where the rest begins."""
        size = len(words)
        events: list[int] = []
        rejected: list[tuple[int, int, int]] = []
        trusted: set[tuple[int, int]] = set(self.modules or ())
        at = 0

        def first_run(start: int, stop: int, known: Any = None) -> int | None:
            for position in range(start, stop):
                if self.run_starts(words, position, known):
                    return position
            return None

        while at < size:
            reason = self.judge(words, at)
            if reason:
                run = first_run(at + 1, size)
                run = size if run is None else run
                rejected.append((at, run - at, reason))
                at = run
                continue
            if at + 4 > size:
                break
            end = at + self.event_length(words[at])
            if end > size:
                run = first_run(at + 1, size)
                if run is None:
                    break
            else:
                trusted.add(self.module(words[at]))
                run = None
                if end - at > 4:
                    run = first_run(at + 1, min(end, size - 3), trusted)
                if run is None and end < size and self.judge(words, end):
                    run = first_run(at + 1, end)
            if run is not None:
                rejected.append((at, run - at, 5))
                at = run
                continue
            events.append(at)
            at = end
        return events, rejected, at

    def events(self, words: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Yield the events that `walk` accepts."""
        for position in self.walk(words)[0]:
            length = self.event_length(words[position])
            yield self.event(words[position : position + length])

    def event(self, words: Sequence[int]) -> dict[str, Any]:
        """Return every field of one event."""
        word0, word1, word2, word3 = words[:4]
        crate, slot = self.module(word0)
        header = bits(word0, 16, 12)
        event: dict[str, Any] = {
            "crate": crate,
            "slot": slot,
            "channel": bits(word0, 5 if self.ids == "wide" else 3, 0),
            "pileup": bool(bits(word0, 31, 31)),
            "energy": bits(word3, 14 if self.generation == 1 else 15, 0),
            "timestamp": bits(word2, 15, 0) << 32 | word1,
            "out_of_range": bool(
                (bits(word0, 30, 30), bits(word3, 15, 15), bits(word3, 31, 31))[
                    self.generation
                ]
            ),
            "trace_length": self.trace_length(word3),
        }
        event |= self.cfd(word2)
        event["time_ps"] = self.time_ps(event)
        at = 4
        blocks = HEADER_LENGTHS[header]
        event["esum_valid"] = "s" in blocks
        if "s" in blocks:
            names = ("esum_trailing", "esum_leading", "esum_gap", "baseline_bits")
            event |= dict(zip(names, words[at : at + 4], strict=True))
            at += 4
        event["qdc_valid"] = "q" in blocks
        if "q" in blocks:
            event["qdc"] = list(words[at : at + 8])
            at += 8
        event["external_timestamp_valid"] = "x" in blocks
        if "x" in blocks:
            event["external_timestamp"] = words[at + 1] << 32 | words[at]
        trace = words[header:]
        event["trace"] = [half for w in trace for half in (w & 0xFFFF, w >> 16)]
        return event

    def cfd(self, word2: int) -> dict[str, Any]:
        """Return the raw CFD fields."""
        forced_bits, source_bits, fraction_bits = self.cfd_bits
        field = word2 >> 16
        fraction = field & ((1 << fraction_bits) - 1)
        source = (field >> fraction_bits) & ((1 << source_bits) - 1)
        forced = bool(field >> (fraction_bits + source_bits)) if forced_bits else False
        if self.frequency == 500:
            forced = source == 7
        return {"cfd_fraction": fraction, "cfd_source": source, "cfd_forced": forced}

    def time_ps(self, event: dict[str, Any]) -> int:
        """Return the corrected time, exact until it is rounded at the end."""
        tick = 8000 if self.frequency == 250 else 10000
        coarse = event["timestamp"] * tick
        fraction = Fraction(event["cfd_fraction"], 1 << self.cfd_bits[2])
        source = event["cfd_source"]
        if event["cfd_forced"] or (fraction == 0 and source == 0):
            return int(coarse)
        correction = {
            100: fraction * 10000,
            250: (fraction - source) * 4000,
            500: (fraction + source - 1) * 2000,
        }[self.frequency]
        return int(coarse + floor(correction + Fraction(1, 2)))
