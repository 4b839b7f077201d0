"""What files that keep it as one text say beside their events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pixie_pipe.listmode.result import RejectReason
from pixie_pipe.storage.provenance import Provenance, StreamRecord
from pixie_pipe.storage.versions import versions

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = "pixie_pipe events"
FORMAT_VERSION = 1

# Rejections listed in the file; all are counted. A reader loads the list as a whole.
MOST_REJECTIONS = 100_000

_REJECTED_FIELDS = ("stream", "source", "word_offset", "word_count", "reason")


class FileNotes:
    """Collects while a file is written what it will say beside the events."""

    def __init__(self) -> None:
        self._provenance = Provenance()
        self._rejected: list[tuple[int, ...]] = []
        self._rejections = 0

    @property
    def provenance(self) -> Provenance:
        """Where the events come from."""
        return self._provenance

    def describe(self, provenance: Provenance) -> None:
        """Tell where the events come from; the last call counts."""
        self._provenance = provenance

    def reject(
        self, rejected: NDArray[np.void], stream: int, source: NDArray[np.int64] | int
    ) -> None:
        """Count rejected words, and list the first 100 000 stretches."""
        room = MOST_REJECTIONS - len(self._rejected)
        sources = np.broadcast_to(source, rejected.shape)
        self._rejected += [
            (stream, int(number), *map(int, row))
            for number, row in zip(sources[:room], rejected[:room], strict=True)
        ]
        self._rejections += rejected.size

    def document(self, *packages: str, **more: Any) -> dict[str, Any]:
        """Return plain data, for JSON.

        Parameters
        ----------
        *packages
            Packages whose versions are of interest.
        **more
            What else the file says.
        """
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": self._provenance.command,
            "versions": versions(*packages),
            "streams": [stream.to_dict() for stream in self._provenance.streams],
            "rejections": self._rejections,
            "rejected_fields": list(_REJECTED_FIELDS),
            "rejected": self._rejected,
            "reasons": {int(reason): reason.description for reason in RejectReason},
            **more,
        }


def provenance_of(document: Mapping[str, Any]) -> Provenance:
    """Return where the events of a file come from, as its document says."""
    streams = tuple(StreamRecord.from_dict(item) for item in document["streams"])
    return Provenance(streams, document["command"])
