"""What the return codes of XIA's library mean, and what to do about them.

The codes are those of PixieSDK 5.3.0. The library's own texts are a few words; the
reason of a failure is in its log file alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pixie_pipe.drivers.digitizer import DriverError

RUN_IS_ACTIVE: Final = 218
NO_MODULES: Final = 201
NOT_INITIALISED: Final = 101
INVALID_VALUE: Final = 802
NOT_ENOUGH: Final = 807

NEW_PROCESS: Final = (
    "XIA's library can be initialised once in a process: start again (a pipeline makes "
    "a new process then), or start Python anew"
)
_REBOOT = "boot the modules anew (boot: reset); if it comes back, switch the crate off"
_LIBRARY = "tell what the log says to those who maintain the library"
_DECODE = (
    "the library could not decode list-mode data, which this driver never asks for"
)

_MEANINGS: Final[Mapping[int, str]] = {
    100: f"the crate was initialised before in this process; {NEW_PROCESS}",
    101: "the crate is not initialised; open the session first",
    102: "a parameter of the whole system is wrong; look into the log",
    200: "there is no such module or slot; compare `slots` with the crate, and leave "
    "out slots that are empty",
    201: "no modules were found, or not as many as asked for; compare `slots` with the "
    "crate, check that it is on, that it was on before the computer, and that the PLX "
    "driver is loaded",
    202: "the module is in use by another process; end that, since all modules of a "
    "crate belong to one process",
    203: "the module could not be closed; end the process",
    204: "the module is not booted, or was closed; start again, and if that does not "
    "help, boot with boot: reset",
    205: "the module does not tell what it is; its EEPROM may be damaged",
    206: "the module cannot do this now: something that must come first is missing",
    207: "the firmware does not fit the module, or another file is registered for the "
    "same device; check `firmware`",
    208: "the module could not be initialised; switch the crate off and on",
    209: "there is no such module parameter, or its value is not allowed; one module "
    "alone can be director, run leader or pull-up leader",
    210: "a value of the module is out of range; for the FIFO see `fifo`",
    211: "the library has switched this module parameter off",
    212: "this module parameter can only be read, or was written once already",
    213: "this module parameter can only be written",
    214: f"the module did not do its task in time; {_REBOOT}",
    215: "the module is in another slot than its settings say; check `slots`",
    216: "no module was found there; check `slots`",
    217: "the library has no such test",
    218: "the module takes data; stop the run first: until then only status, list-mode "
    "words, statistics, histograms and information about the module can be had",
    300: "the module has no such channel; some have 16, others 32",
    301: "there is no such channel parameter, or its value is not allowed",
    302: "the settings lack a variable of the channel; load complete settings",
    303: "a variable of a channel has no such index (XIA's texts of 303 and 304 are "
    "swapped)",
    304: "the library has switched this channel parameter off (XIA's texts of 303 and "
    "304 are swapped)",
    305: "this channel parameter can only be read",
    306: "this channel parameter can only be written",
    500: "the device of the module failed; switch the crate off and on",
    506: "a transfer by DMA failed; check the PXI bridge and its driver",
    507: "a transfer by DMA goes on already; read each module in one place only",
    508: f"the FIFO of the module failed; {_REBOOT}",
    509: "the EEPROM of the module failed; the module needs repair",
    510: "the EEPROM of the module failed; the module needs repair",
    511: "the EEPROM of the module failed; the module needs repair",
    602: "a file is no JSON of the expected form; a directory of firmware must hold "
    "no other JSON files",
    701: "a file could not be opened; check its name and who may read it",
    800: "the computer has no memory left; use fewer `buffers` in `fifo`",
    801: "the map of the slots is wrong; check `slots`",
    802: "a value is not allowed, or something was not given",
    803: "the module cannot do this: those of Rev H have no baselines, no baseline cut "
    "and no search for tau",
    807: "fewer words are queued than were asked for; something else in this process "
    "reads this module, too",
    900: f"the library failed for an unknown reason; {_LIBRARY}",
    901: f"the library failed inside; {_LIBRARY}",
    902: "the library stumbled over an argument, often a directory or file that does "
    "not exist, or it has no memory",
    903: "what was to be written can only be read",
    990: f"the library returned a code that it does not know itself; {_LIBRARY}",
}

_RANGES: Final[tuple[tuple[int, int, str], ...]] = (
    (400, 408, _DECODE),
    (500, 511, "the connection to the module failed; switch the crate off and on"),
    (600, 601, "the configuration is wrong; look into the log"),
    (700, 705, "a file could not be used; check its name, its rights and the disk"),
    (804, 806, "the buffers of the library for list-mode words failed; check `fifo`"),
)

_NO_ADVICE: Final = "the driver does not know this code; look into the log"

_START_HINT = (
    "synchronous runs need a run leader (MODULE_CSRB bit 6), and every module that is "
    "in the crate among `slots`, also those that shall take no data"
)
_GONE_HINT = (
    "if it has answered before, it was pulled or has lost its power: look at the crate "
    "first"
)
_ACQUIRE_HINT = "the module must first be told to take them, with no task in between"

_HINTS: Final[Mapping[tuple[str, int], str]] = {
    ("Pixie16CheckExternalFIFOStatus", 204): _GONE_HINT,
    ("Pixie16CheckRunStatus", 204): _GONE_HINT,
    ("Pixie16ReadDataFromExternalFIFO", 204): _GONE_HINT,
    ("Pixie16StartListModeRun", 206): _START_HINT,
    ("Pixie16StartHistogramRun", 206): _START_HINT,
    ("Pixie16ReadSglChanADCTrace", 206): _ACQUIRE_HINT,
    ("Pixie16ReadSglChanBaselines", 206): _ACQUIRE_HINT,
}


def meaning_of(code: int) -> str:
    """Return what a return code means and what to do; `code` is positive."""
    if code in _MEANINGS:
        return _MEANINGS[code]
    for first, last, text in _RANGES:
        if first <= code <= last:
            return text
    return _NO_ADVICE


class XiaError(DriverError):
    """XIA's library refused to do something, or could not.

    Parameters
    ----------
    function
        Function of the library.
    code
        What it returned, without the sign.
    text
        What the library calls that.
    slot
        Slot of the module it was asked of, if it was one.
    detail
        What was asked for.
    log
        File in which the library tells more.
    """

    def __init__(
        self,
        function: str,
        code: int,
        text: str,
        *,
        slot: int | None = None,
        detail: str = "",
        log: str = "",
    ) -> None:
        where = "" if slot is None else f"slot {slot}: "
        about = f" ({detail})" if detail else ""
        hint = _HINTS.get((function, code))
        told = "; ".join(filter(None, [meaning_of(code), hint]))
        more = f"; XIA's log tells more: {log}" if log else ""
        super().__init__(
            f"{where}{function}{about} failed with code -{code}, which XIA calls "
            f"{text!r}: {told}{more}"
        )
        self.function = function
        self.code = code
        self.text = text
        self.slot = slot

    def add(self, text: str) -> None:
        """Tell something more, at the end."""
        self.args = (f"{self}; {text}",)
