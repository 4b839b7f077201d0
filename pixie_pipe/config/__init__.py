"""Configurations that people write, checked as a whole before anything starts."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from pixie_pipe.config.errors import ConfigError

if TYPE_CHECKING:
    from pixie_pipe.config.modules import ModuleConfig, load_modules, parse_module

__all__ = ["ConfigError", "ModuleConfig", "load_modules", "parse_module"]

# Loaded when they are first used: pydantic takes long to import.
_LAZY = ("ModuleConfig", "load_modules", "parse_module")


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(f"{__name__}.modules"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
