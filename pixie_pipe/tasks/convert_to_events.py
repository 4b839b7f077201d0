"""Decode chunks of words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pixie_pipe.buffers import BufferPool
from pixie_pipe.events.schema import COLUMN, DECODED, TRACE_OFFSETS, TRACE_SAMPLES
from pixie_pipe.pipeline.data import Chunk, Kind, Rejected, StreamKey, Tally
from pixie_pipe.pipeline.declarations import CORE_COLUMNS, Category, port
from pixie_pipe.pipeline.parameters import Parameter, ParameterError, suggestion
from pixie_pipe.pipeline.task import Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pixie_pipe.events import Events
    from pixie_pipe.listmode import ChunkDecoder, Decoded

_FROM_WORDS = [name for name in COLUMN if COLUMN[name].block in DECODED]
_TRACE = ("trace_length", TRACE_OFFSETS.name, TRACE_SAMPLES.name)


class ConvertToEvents(Task):
    """Decodes chunks; each by itself, so that several workers may share the work.

    Words that belong to no event are sent on with their position and the reason.
    """

    reads = (port(Kind.CHUNKS),)
    writes = (
        port(
            Kind.EVENTS,
            CORE_COLUMNS,
            optional_columns=sorted({*_FROM_WORDS} - CORE_COLUMNS),
        ),
        port(Kind.REJECTED),
    )
    category = Category.TRANSFORM
    label = "Decode chunks of words to events"
    can_pool = True
    parameters: ClassVar = {
        "keep": Parameter(
            None,
            "blocks or columns of events to keep, all others are dropped; by default "
            "all. Files of events need whole blocks, core among them",
            type=list,
            items=str,
        ),
    }

    def do_configure(self, config: Mapping[str, Any]) -> None:
        """Check what is to be kept."""
        if config.get("keep") is not None:
            dropped_columns(config["keep"], f"{self.name}.keep")

    def do_start(self) -> None:
        """Forget the streams of the last run."""
        self._pool = BufferPool()
        self._decoders: dict[StreamKey, ChunkDecoder] = {}
        keep = self.config.keep
        self._dropped = () if keep is None else dropped_columns(keep, "keep")
        self.ledger |= dict.fromkeys(
            ("words_decoded", "words_rejected", "words_leftover", "events_decoded"), 0
        )

    def do_work(self, datum: Chunk) -> None:
        """Decode a chunk; send its events, and its rejected words if there are any."""
        tally = Tally(trailing_bytes=len(datum.trailing))
        # The last chunk of a stream may be empty.
        decoded = self._decode(datum) if datum.words.size else None
        if decoded is not None:
            balance = decoded.balance
            tally.decoded = balance.decoded
            tally.rejected = balance.rejected
            tally.leftover = balance.leftover
            tally.events = len(decoded.events)
            self.ledger["words_decoded"] += tally.decoded
            self.ledger["words_rejected"] += tally.rejected
            self.ledger["words_leftover"] += tally.leftover
            self.ledger["events_decoded"] += tally.events
        # Before the events, so that it rides along with them.
        self.account(datum.stream.key, tally)
        if decoded is None:
            return
        if len(decoded.events):
            self.send(self._kept(decoded.events))
        if decoded.rejected.size:
            self.send(Rejected(decoded.rejected, datum.stream))

    def _kept(self, events: Events) -> Events:
        return events.without(*self._dropped) if self._dropped else events

    def _decode(self, chunk: Chunk) -> Decoded:
        decoder = self._decoders.get(chunk.stream.key)
        if decoder is None:
            from pixie_pipe.listmode import ChunkDecoder

            stream = chunk.stream
            decoder = self._decoders[stream.key] = ChunkDecoder(
                stream.decoding,
                modules=stream.modules,
                max_event_length=stream.max_event_length,
                pool=self._pool,
            )
        return decoder.decode(
            chunk.words, offset=chunk.offset, state=chunk.state, final=chunk.final
        )


def dropped_columns(keep: Iterable[str], name: str) -> tuple[str, ...]:
    """Return the columns that are not among those to keep.

    Parameters
    ----------
    keep
        Names of blocks or columns.
    name
        Name of the parameter, for the message.

    Raises
    ------
    ParameterError
        If there is no such block or column, or none at all is to be kept.
    """
    kept: set[str] = set()
    for item in keep:
        if item in DECODED:
            kept |= {key for key in _FROM_WORDS if COLUMN[key].block == item}
        elif item in _FROM_WORDS:
            # A trace is of use with its length and offsets only.
            kept |= {*_TRACE} if item in _TRACE else {item}
        else:
            known = [*map(str, DECODED), *_FROM_WORDS]
            raise ParameterError(
                f"{name} has {item!r}, which is no block or column of decoded events"
                f"{suggestion(item, known)} (blocks: {', '.join(DECODED)})"
            )
    if not kept:
        raise ParameterError(f"{name} is empty, expected at least one block or column")
    return tuple(key for key in _FROM_WORDS if key not in kept)
