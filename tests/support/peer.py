"""pypixie16, the package that this one is compared with."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def load_reader() -> ModuleType:
    """Return pypixie16's reader, loaded by its path: its package needs Qt and libGL.

    Raises
    ------
    ModuleNotFoundError
        If pypixie16 is not installed; it is in the dependency group ``test``.
    """
    spec = importlib.util.find_spec("pixie16")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("pypixie16 is not installed", name="pixie16")
    path = Path(spec.origin).parent / "read" / "list_mode" / "list_mode_data_reader.py"
    name = "pypixie16_list_mode_reader"
    module_spec = importlib.util.spec_from_file_location(name, path)
    assert module_spec is not None
    assert module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[name] = module
    module_spec.loader.exec_module(module)
    return module
