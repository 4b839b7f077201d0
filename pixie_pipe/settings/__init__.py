"""The settings of Pixie-16 modules, as people think of them.

Raw variables of the DSP (`ModuleSettings`, `CrateSettings`), XIA's parameters in
physical units, named bits, changes that are checked and read back, settings files, and
what differs between two settings. Nothing here talks to a module: whatever has XIA's
parameters is a `ParameterAccess`.
"""

from __future__ import annotations

from pixie_pipe.settings.access import ParameterAccess, SettingsAccess
from pixie_pipe.settings.addresses import read_var
from pixie_pipe.settings.bits import FIELDS, BitField, names_of, unnamed_bits, word_of
from pixie_pipe.settings.changes import (
    Change,
    Changes,
    ChangesRefusedError,
    Outcome,
    apply,
    every_channel,
)
from pixie_pipe.settings.codes import ReturnCode
from pixie_pipe.settings.copying import COPY_GROUPS, copy_channel, copy_mask
from pixie_pipe.settings.difference import (
    Difference,
    DifferenceLine,
    Differences,
    compare,
)
from pixie_pipe.settings.errors import (
    ParameterRefusedError,
    SettingsError,
    SettingsFileError,
)
from pixie_pipe.settings.json_file import read_json, write_json
from pixie_pipe.settings.kinds import ModuleKind
from pixie_pipe.settings.listing import ListedValue, Listing, list_values
from pixie_pipe.settings.matching import FoundModule
from pixie_pipe.settings.modules import CrateSettings, ModuleSettings
from pixie_pipe.settings.old_values import OldValues, RestoreError
from pixie_pipe.settings.parameter_table import (
    CHANNEL_PARAMETERS,
    MODULE_PARAMETERS,
    Access,
    Parameter,
)
from pixie_pipe.settings.set_file import read_set, stored_slots
from pixie_pipe.settings.temporary import temporary
from pixie_pipe.settings.variables import (
    CHANNEL_VARIABLES,
    MODULE_VARIABLES,
    float_to_word,
    word_to_float,
)

__all__ = [
    "CHANNEL_PARAMETERS",
    "CHANNEL_VARIABLES",
    "COPY_GROUPS",
    "FIELDS",
    "MODULE_PARAMETERS",
    "MODULE_VARIABLES",
    "Access",
    "BitField",
    "Change",
    "Changes",
    "ChangesRefusedError",
    "CrateSettings",
    "Difference",
    "DifferenceLine",
    "Differences",
    "FoundModule",
    "ListedValue",
    "Listing",
    "ModuleKind",
    "ModuleSettings",
    "OldValues",
    "Outcome",
    "Parameter",
    "ParameterAccess",
    "ParameterRefusedError",
    "RestoreError",
    "ReturnCode",
    "SettingsAccess",
    "SettingsError",
    "SettingsFileError",
    "apply",
    "compare",
    "copy_channel",
    "copy_mask",
    "every_channel",
    "float_to_word",
    "list_values",
    "names_of",
    "read_json",
    "read_set",
    "read_var",
    "stored_slots",
    "temporary",
    "unnamed_bits",
    "word_of",
    "word_to_float",
    "write_json",
]
