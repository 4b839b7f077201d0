"""Words as a crate sends them, for those who have none."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from pixie_pipe.errors import PixiePipeError
from pixie_pipe.pipeline.data import Kind, Stream
from pixie_pipe.pipeline.declarations import Category, port
from pixie_pipe.pipeline.parameters import Parameter
from pixie_pipe.pipeline.task import Task

if TYPE_CHECKING:
    from pixie_pipe.config.modules import ModuleConfig
    from pixie_pipe.tasks._looped_words import LoopedWords
    from pixie_pipe.tasks._outgoing_streams import OutgoingStreams
    from pixie_pipe.tasks._paced_lanes import Schedule

_KIB: Final = 1024
_WORD_BYTES: Final = 4

_UNPACED_RATE_HZ: Final = 1e6
"""Rate in the data's own time where they are sent as fast as possible."""

_BLOCK_WORDS: Final = 1 << 19
_BLOCK_EVENTS: Final = (1000, 1 << 16)
"""Blocks are small enough to stay in the cache, and large enough for a spectrum."""

_MAX_FILE_BYTES: Final = 1 << 28


class DummyDataError(PixiePipeError, ValueError):
    """The data that are asked for cannot be made."""


class DummyData(Task):
    """Sends made-up events, or a file again and again, as a crate would.

    A block of events is made for each module when the run starts, and repeated with
    its time going on; the timestamps wrap at 48 bits. With a rate, event times advance
    as real time does. With a file, the rate is that of sending; its times go on from
    one round to the next, and what is behind its last event is left out.

    Words are cut anywhere, as what is read from a module's FIFO is. The statistics are
    ``events``, the whole events sent, and ``behind_s``, the time for which consumers
    were too slow. In a pause of the run the clock stands still.
    """

    label = "Sends made-up events, or a file again and again"
    category = Category.SOURCE
    live = True
    reads = ()
    writes = (port(Kind.WORDS), port(Kind.MARKS))
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "rate_hz": Parameter(
            20_000.0,
            "Events per second of all modules together; 0: as fast as possible",
            unit="Hz",
            min=0,
            max=1e9,
        ),
        "modules": Parameter(
            ["0/2:500/34688"],
            "The modules: mappings as in configs/modules.yaml, or short forms",
        ),
        "channels": Parameter(
            16, "Number of channels of a module that have events", min=1, max=64
        ),
        "trace_samples": Parameter(
            0, "Length of the traces", unit="samples", min=0, max=32_000
        ),
        "energy_sums": Parameter(default=False, description="Send energy sums, too"),
        "qdc": Parameter(default=False, description="Send QDC sums, too"),
        "file": Parameter(
            "", "Raw file to send again and again instead; needs exactly one module"
        ),
        "runtime_s": Parameter(
            None, "End the run after this time", type=float, unit="s", min=0
        ),
        "events": Parameter(
            None, "End the run after exactly this number of events", type=int, min=0
        ),
        "seed": Parameter(
            1, "Start of the random numbers: the same one gives the same words", min=0
        ),
        "frame_kb": Parameter(
            2048, "Most that is sent at once", unit="KiB", min=1, max=65536
        ),
        "latency_s": Parameter(
            0.1,
            "Longest time for which words wait to be sent",
            unit="s",
            min=0.001,
            max=10,
        ),
    }

    _streams: OutgoingStreams
    _schedule: Schedule

    def do_init(self) -> None:
        """Load the kernels, or compile them: a start must not take that long."""
        from pixie_pipe.drivers._raw_streams import parse_modules

        modules = parse_modules(["0/2:500/34688"])
        self._made_up(modules, most_events=8)[0].take(0, 8)

    def do_start(self) -> None:
        """Make the events, or read the file."""
        from pixie_pipe.drivers._raw_streams import module_name, parse_modules
        from pixie_pipe.tasks._outgoing_streams import OutgoingStreams
        from pixie_pipe.tasks._paced_lanes import Lane, Schedule

        config = self.config
        modules = parse_modules(config.modules)
        if not modules:
            raise DummyDataError(
                "modules is empty, expected at least one, such as '0/2:500/34688'"
            )
        # Those of the last run may be large; two of them are not kept at once.
        self.__dict__.pop("_schedule", None)
        if config.file:
            blocks, streams = self._of_file(modules)
        else:
            blocks = self._made_up(modules)
            streams = [
                Stream(
                    source=self.name,
                    number=number,
                    name=module_name(*module.module),
                    layout=module.layout.to_dict(),
                    modules=(module.module,),
                )
                for number, module in enumerate(modules)
            ]
        limits: list[int | None] = [None] * len(blocks)
        if config.events is not None:
            share, more = divmod(config.events, len(blocks))
            limits = [share + (number < more) for number in range(len(blocks))]
        self._schedule = Schedule(
            [Lane(block, limit) for block, limit in zip(blocks, limits, strict=True)],
            frame_words=config.frame_kb * _KIB // _WORD_BYTES,
            latency_s=config.latency_s,
            is_paced=config.rate_hz > 0,
            rng=np.random.default_rng(config.seed),
        )
        self._streams = OutgoingStreams(self, streams)
        self._begun = 0.0
        self._paused_at: float | None = None
        self._note()

    def do_work(self, datum: object) -> None:  # noqa: ARG002 - a source gets None
        """Send what is due, or wait for it."""
        if not self._begun:
            # The clock starts when all tasks are ready.
            self._begun = time.monotonic()
            self._streams.announce()
        elapsed = self._elapsed()
        found = self._schedule.next(elapsed)
        if found is not None:
            self._send(*found)
        if self._is_over(elapsed):
            self.finish()
        elif found is None:
            pause = self._schedule.pause_s(self._elapsed())
            if self.config.runtime_s is not None:
                pause = min(pause, max(self.config.runtime_s - elapsed, 0.0))
            self.pause(pause)

    def do_pause(self) -> None:
        """Let the clock stand still."""
        self._paused_at = time.monotonic()

    def do_resume(self) -> None:
        """Let the clock go on where it stood."""
        if self._begun and self._paused_at is not None:
            self._begun += time.monotonic() - self._paused_at
        self._paused_at = None

    def do_stop(self) -> None:
        """Send what is due, complete the events that were begun, end the streams."""
        elapsed = self._elapsed() if self._begun else 0.0
        for number in range(len(self._schedule.lanes)):
            for count in self._schedule.rest(number, elapsed):
                self._send(number, count)
            self._streams.end(number)
        self._note()

    def _elapsed(self) -> float:
        """Return the time since the start in seconds, at most the run time."""
        now = time.monotonic() if self._paused_at is None else self._paused_at
        elapsed = now - self._begun
        runtime: float | None = self.config.runtime_s
        return elapsed if runtime is None else min(elapsed, runtime)

    def _is_over(self, elapsed: float) -> bool:
        runtime: float | None = self.config.runtime_s
        if runtime is not None and elapsed >= runtime:
            return True
        return all(lane.is_done for lane in self._schedule.lanes)

    def _send(self, number: int, count: int) -> None:
        lane = self._schedule.lanes[number]
        words = lane.words.take(lane.sent, count)
        self._schedule.note_sent(number, count, self._elapsed())
        self._streams.send(number, words, time_ns=time.time_ns())
        self._note()

    def _note(self) -> None:
        lanes = self._schedule.lanes
        self.statistics["events"] = sum(lane.events_sent for lane in lanes)
        self.statistics["behind_s"] = round(self._schedule.behind_s, 3)

    def _made_up(
        self, modules: list[ModuleConfig], most_events: int = _BLOCK_EVENTS[1]
    ) -> list[LoopedWords]:
        from pixie_pipe.buffers import BufferPool
        from pixie_pipe.listmode.encoder import encode
        from pixie_pipe.tasks._generated import Recipe, generate
        from pixie_pipe.tasks._looped_words import LoopedWords

        config = self.config
        pool = BufferPool()
        seeds = np.random.SeedSequence(config.seed).spawn(len(modules))
        blocks = []
        for module, seed in zip(modules, seeds, strict=True):
            layout = module.layout
            recipe = Recipe(
                layout,
                *module.module,
                rate_hz=(config.rate_hz or _UNPACED_RATE_HZ) / len(modules),
                channels=config.channels,
                trace_samples=config.trace_samples,
                energy_sums=config.energy_sums,
                qdc=config.qdc,
            )
            count = int(np.clip(_BLOCK_WORDS // recipe.event_length, *_BLOCK_EVENTS))
            count = min(count, most_events)
            block = generate(recipe, count, np.random.default_rng(seed))
            looped = LoopedWords(
                encode(block.events, layout),
                layout,
                modules=[module.module],
                period_ticks=block.period_ticks,
                due_s=block.due_ticks * (layout.tick_ps * 1e-12),
                period_s=block.period_ticks * layout.tick_ps * 1e-12,
                pool=pool,
            )
            blocks.append(looped)
        return blocks

    def _of_file(
        self, modules: list[ModuleConfig]
    ) -> tuple[list[LoopedWords], list[Stream]]:
        from pathlib import Path

        from pixie_pipe.drivers._raw_streams import module_name
        from pixie_pipe.listmode.words import as_words
        from pixie_pipe.storage.probing import probe
        from pixie_pipe.storage.raw import RawFileError, read_whole
        from pixie_pipe.tasks._looped_words import LoopedWords, NothingToLoopError

        path = Path(self.config.file)
        if len(modules) != 1:
            raise DummyDataError(
                f"a file is sent as the words of one module, but {len(modules)} are "
                f"given: give the one that the file is of, or use LoadFiles"
            )
        layout = modules[0].layout
        found = probe(path, layout)
        if found.problem is not None:
            raise RawFileError(found.problem)
        if found.size > _MAX_FILE_BYTES:
            raise RawFileError(
                f"{path}: has {found.size} bytes, expected at most {_MAX_FILE_BYTES}, "
                f"since it is kept in memory: use LoadFiles, or the driver recorded"
            )
        data, _ = read_whole([path])
        words = as_words(data[: data.size // _WORD_BYTES * _WORD_BYTES], "little")
        try:
            block = LoopedWords(words, layout)
        except NothingToLoopError as error:
            raise NothingToLoopError(f"{path}: {error}") from error
        rate = self.config.rate_hz or _UNPACED_RATE_HZ
        block.due_s = np.arange(block.events_per_round) / rate
        block.period_s = block.events_per_round / rate
        module = found.modules[0] if len(found.modules) == 1 else modules[0].module
        stream = Stream(
            source=self.name,
            number=0,
            name=module_name(*module),
            layout=layout.to_dict(),
        )
        return [block], [stream]
