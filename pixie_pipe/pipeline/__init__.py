"""The pipeline: tasks as processes, links between them, runs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixie_pipe.pipeline.balance import RunBalance
    from pixie_pipe.pipeline.data import (
        Chunk,
        Kind,
        Origin,
        Rejected,
        Stream,
        StreamMark,
        Tally,
        Words,
    )
    from pixie_pipe.pipeline.declarations import Category, Port, Role, port
    from pixie_pipe.pipeline.frames import FrameError
    from pixie_pipe.pipeline.graph import Edge, Graph, GraphError, Node
    from pixie_pipe.pipeline.limits import RunLimits
    from pixie_pipe.pipeline.messages import Error, Message, ProtocolError, Status
    from pixie_pipe.pipeline.parameters import Parameter, ParameterError
    from pixie_pipe.pipeline.pipeline import Pipeline, PipelineWarning
    from pixie_pipe.pipeline.registry import (
        Plugin,
        RegistryError,
        add_search_path,
        find_class,
        known_names,
        plugins,
    )
    from pixie_pipe.pipeline.task import Task

__all__ = [
    "Category",
    "Chunk",
    "Edge",
    "Error",
    "FrameError",
    "Graph",
    "GraphError",
    "Kind",
    "Message",
    "Node",
    "Origin",
    "Parameter",
    "ParameterError",
    "Pipeline",
    "PipelineWarning",
    "Plugin",
    "Port",
    "ProtocolError",
    "RegistryError",
    "Rejected",
    "Role",
    "RunBalance",
    "RunLimits",
    "Status",
    "Stream",
    "StreamMark",
    "Tally",
    "Task",
    "Words",
    "add_search_path",
    "find_class",
    "known_names",
    "plugins",
    "port",
]

_HOMES = {
    "Category": "declarations",
    "Chunk": "data",
    "Edge": "graph",
    "Error": "messages",
    "FrameError": "frames",
    "Graph": "graph",
    "GraphError": "graph",
    "Kind": "data",
    "Message": "messages",
    "Node": "graph",
    "Origin": "data",
    "Parameter": "parameters",
    "ParameterError": "parameters",
    "Pipeline": "pipeline",
    "PipelineWarning": "pipeline",
    "Plugin": "registry",
    "Port": "declarations",
    "ProtocolError": "messages",
    "RegistryError": "registry",
    "Rejected": "data",
    "Role": "declarations",
    "RunBalance": "balance",
    "RunLimits": "limits",
    "Status": "messages",
    "Stream": "data",
    "StreamMark": "data",
    "Tally": "data",
    "Task": "task",
    "Words": "data",
    "add_search_path": "registry",
    "find_class": "registry",
    "known_names": "registry",
    "plugins": "registry",
    "port": "declarations",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
