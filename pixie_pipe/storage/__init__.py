"""Files: raw list-mode files in, files of events out and in, and runs on disk."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixie_pipe.storage.atomic import OutputExistsError, new_file
    from pixie_pipe.storage.coincidences import CoincidenceFile
    from pixie_pipe.storage.conversion import ConversionReport, StreamReport, convert
    from pixie_pipe.storage.event_table import EventTable, open_events
    from pixie_pipe.storage.exporting import ExportError, ExportReport, export
    from pixie_pipe.storage.hdf5 import Hdf5Writer
    from pixie_pipe.storage.hdf5_reader import read_hdf5, read_hdf5_metadata
    from pixie_pipe.storage.parquet import (
        ParquetWriter,
        read_parquet,
        read_parquet_metadata,
    )
    from pixie_pipe.storage.probing import Probe, probe
    from pixie_pipe.storage.provenance import Provenance, SourceFile, StreamRecord
    from pixie_pipe.storage.raw import (
        DataWarning,
        PieceReader,
        RawFileError,
        expand_paths,
        read_pieces,
    )
    from pixie_pipe.storage.raw_recorder import (
        RawRecorder,
        RecordedFile,
        RecorderUseError,
        RecordingError,
    )
    from pixie_pipe.storage.reader import EventReadError
    from pixie_pipe.storage.reading import read_events, read_raw
    from pixie_pipe.storage.run_catalogue import (
        list_runs,
        next_number,
        repair,
        run_directories,
    )
    from pixie_pipe.storage.run_directory import RunDirectory, RunDirectoryError
    from pixie_pipe.storage.run_index import RunIndex
    from pixie_pipe.storage.run_record import (
        PlainDataError,
        RunRecord,
        RunRecordError,
    )
    from pixie_pipe.storage.run_summary import RunQuery, RunSummary
    from pixie_pipe.storage.spectra_file import read_spectra, write_spectra
    from pixie_pipe.storage.streams import (
        ModuleEntry,
        Stream,
        StreamError,
        assign_streams,
    )
    from pixie_pipe.storage.writer import OutputError

__all__ = [
    "CoincidenceFile",
    "ConversionReport",
    "DataWarning",
    "EventReadError",
    "EventTable",
    "ExportError",
    "ExportReport",
    "Hdf5Writer",
    "ModuleEntry",
    "OutputError",
    "OutputExistsError",
    "ParquetWriter",
    "PieceReader",
    "PlainDataError",
    "Probe",
    "Provenance",
    "RawFileError",
    "RawRecorder",
    "RecordedFile",
    "RecorderUseError",
    "RecordingError",
    "RunDirectory",
    "RunDirectoryError",
    "RunIndex",
    "RunQuery",
    "RunRecord",
    "RunRecordError",
    "RunSummary",
    "SourceFile",
    "Stream",
    "StreamError",
    "StreamRecord",
    "StreamReport",
    "assign_streams",
    "convert",
    "expand_paths",
    "export",
    "list_runs",
    "new_file",
    "next_number",
    "open_events",
    "probe",
    "read_events",
    "read_hdf5",
    "read_hdf5_metadata",
    "read_parquet",
    "read_parquet_metadata",
    "read_pieces",
    "read_raw",
    "read_spectra",
    "repair",
    "run_directories",
    "write_spectra",
]

# Loaded when they are first used: h5py and the decoder take long to import.
_HOMES = {
    "CoincidenceFile": "coincidences",
    "ConversionReport": "conversion",
    "DataWarning": "raw",
    "EventReadError": "reader",
    "EventTable": "event_table",
    "ExportError": "exporting",
    "ExportReport": "exporting",
    "Hdf5Writer": "hdf5",
    "ModuleEntry": "streams",
    "OutputError": "writer",
    "OutputExistsError": "atomic",
    "ParquetWriter": "parquet",
    "PieceReader": "raw",
    "PlainDataError": "run_record",
    "Probe": "probing",
    "Provenance": "provenance",
    "RawFileError": "raw",
    "RawRecorder": "raw_recorder",
    "RecordedFile": "raw_recorder",
    "RecorderUseError": "raw_recorder",
    "RecordingError": "raw_recorder",
    "RunDirectory": "run_directory",
    "RunDirectoryError": "run_directory",
    "RunIndex": "run_index",
    "RunQuery": "run_summary",
    "RunRecord": "run_record",
    "RunRecordError": "run_record",
    "RunSummary": "run_summary",
    "SourceFile": "provenance",
    "Stream": "streams",
    "StreamError": "streams",
    "StreamRecord": "provenance",
    "StreamReport": "conversion",
    "assign_streams": "streams",
    "convert": "conversion",
    "expand_paths": "raw",
    "export": "exporting",
    "list_runs": "run_catalogue",
    "new_file": "atomic",
    "next_number": "run_catalogue",
    "open_events": "event_table",
    "probe": "probing",
    "read_events": "reading",
    "read_hdf5": "hdf5_reader",
    "read_hdf5_metadata": "hdf5_reader",
    "read_parquet": "parquet",
    "read_parquet_metadata": "parquet",
    "read_pieces": "raw",
    "read_raw": "reading",
    "read_spectra": "spectra_file",
    "repair": "run_catalogue",
    "run_directories": "run_catalogue",
    "write_spectra": "spectra_file",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
