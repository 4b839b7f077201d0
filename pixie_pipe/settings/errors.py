"""What can go wrong with settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pixie_pipe.errors import PixiePipeError

if TYPE_CHECKING:
    from pixie_pipe.settings.codes import ReturnCode


class SettingsError(PixiePipeError, ValueError):
    """Settings, or values asked for, that are wrong; the text says which and why."""


class SettingsFileError(SettingsError):
    """A settings file that cannot be used; the text says where it is wrong."""


class ParameterRefusedError(SettingsError):
    """A parameter that cannot be read or written.

    Attributes
    ----------
    code
        The return code that XIA's library gives in this case.
    """

    def __init__(self, code: ReturnCode, text: str) -> None:
        super().__init__(f"{text} (code {int(code)}: {code.text})")
        self.code = code
