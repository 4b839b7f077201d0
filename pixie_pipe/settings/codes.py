"""The return codes of XIA's library that concern settings."""

from __future__ import annotations

import enum


class ReturnCode(enum.IntEnum):
    """What XIA's library returns: 0, or the negative number of an error.

    The numbers are those of PixieSDK 5.3.0. The texts say what the number means; those
    of the library for 303 and 304 are exchanged.
    """

    SUCCESS = 0
    MODULE_NUMBER_INVALID = -200
    MODULE_PARAMETER_INVALID = -209
    MODULE_PARAMETER_DISABLED = -211
    MODULE_PARAMETER_READ_ONLY = -212
    CHANNEL_NUMBER_INVALID = -300
    CHANNEL_PARAMETER_INVALID = -301
    CHANNEL_PARAMETER_DISABLED = -304
    NOT_SUPPORTED = -803

    @property
    def text(self) -> str:
        """What it means."""
        return _TEXTS[self]


_TEXTS = {
    ReturnCode.SUCCESS: "success",
    ReturnCode.MODULE_NUMBER_INVALID: "no such module",
    ReturnCode.MODULE_PARAMETER_INVALID: "no such module parameter, or a wrong value",
    ReturnCode.MODULE_PARAMETER_DISABLED: "module parameter is disabled",
    ReturnCode.MODULE_PARAMETER_READ_ONLY: "module parameter is read only",
    ReturnCode.CHANNEL_NUMBER_INVALID: "no such channel",
    ReturnCode.CHANNEL_PARAMETER_INVALID: "no such channel parameter, or a wrong value",
    ReturnCode.CHANNEL_PARAMETER_DISABLED: "channel parameter is disabled",
    ReturnCode.NOT_SUPPORTED: "not supported by this hardware",
}
