"""One initialisation in a process, the boot, and what is known of the modules then."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import numpy as np
import pytest

from pixie_pipe.drivers import _xia_crate
from pixie_pipe.drivers._xia_crate import crate_of
from pixie_pipe.drivers._xia_library import XiaLibrary
from pixie_pipe.drivers.digitizer import DriverError
from pixie_pipe.drivers.xia import OptionError, XiaDigitizer, XiaError


def test_modules_are_described(make):
    with make((3, 2, 5, 4), revisions={4: 42950}, crate=1) as digitizer:
        described = [
            (m.name, m.frequency, m.revision, m.hardware, m.layout.name)
            for m in digitizer.modules
        ]
    assert described == [
        ("c1-s03", 500, 35921, "F", "500-34688"),
        ("c1-s02", 250, 42950, "F", "250-34688"),
        ("c1-s05", 250, 46540, "H", "250-46540"),
        ("c1-s04", 250, 42950, "F", "250-34688"),
    ]


def test_a_revision_that_the_library_does_not_tell_is_asked_for(make):
    with pytest.raises(DriverError, match=r"slot 4: .*own\.ldr.*\{4: 42950\}"):
        make((2, 4), revisions=None).open()
    with make((2, 4), revisions={"4": 30980}) as digitizer:
        assert digitizer.modules[1].revision == 30980
        assert digitizer.modules[0].revision == 42950


def test_layouts_can_be_overridden(make):
    with make((5,), overrides={5: {"tick_ps": 10_000}}) as digitizer:
        assert digitizer.modules[0].layout.tick_ps == 10_000
    with pytest.raises(DriverError, match="slot 5: a layout has no field 'tik_ps'"):
        make((5,), overrides={5: {"tik_ps": 10_000}}).open()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"slots": [2, 3, 2]}, "slots has 2 twice"),
        ({"slots": []}, "slots is empty"),
        ({"slots": [1]}, "slots: 1 is not in 2 to 14"),
        ({"slots": [65538]}, "slots: 65538 is not in"),
        ({"slots": ["2"]}, "'2' is no whole number"),
        ({"slots": 2}, "expected a list"),
        ({"crate": 16}, "crate: 16 is not in 0 to 15"),
        ({"boot": "rest"}, "did you mean 'reset'"),
        ({"boot": "settings"}, "`settings` must be given"),
        ({"fifo": {"bufers": 100}}, "did you mean 'buffers'"),
        ({"fifo": {"buffers": 5}}, "buffers: 5 is not in 10 to"),
        ({"fifo": {"run_wait_usecs": 0}}, "run_wait_usecs: 0 is not in 500"),
        ({"firmware": "/none"}, "/none is no directory"),
        ({"firmware": [{"device": "dsp"}]}, "lacks path, revision"),
        ({"firmware": ["dsp"]}, "is no mapping"),
        ({"revisions": {7: 42950}}, "7 is none of the slots: 2, 3"),
    ],
)
def test_wrong_options_are_refused_before_anything_happens(options, text):
    with pytest.raises(OptionError, match=text):
        XiaDigitizer(**{"slots": [2, 3], **options})


def test_a_directory_without_firmware_is_refused_before_anything_happens(tmp_path):
    (tmp_path / "readme.txt").write_text("firmware")
    with pytest.raises(OptionError, match=r"has no JSON files.* was unpacked"):
        XiaDigitizer([2], firmware=tmp_path)


def test_a_missing_log_directory_is_refused_before_the_initialisation(make, xia):
    with pytest.raises(OptionError, match="log_directory: /none is no directory"):
        make(log_directory="/none").open()
    assert xia.calls("Pixie16InitSystem") == 0


def test_the_library_is_initialised_once_for_many_sessions(make, xia):
    for _ in range(3):
        with make() as digitizer:
            digitizer.start_run()
    assert xia.calls("Pixie16InitSystem") == 1
    assert xia.calls("Pixie16ExitSystem") == 0


def test_two_sessions_at_once_are_refused(make):
    with make(), pytest.raises(DriverError, match="another session of this process"):
        make().open()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"slots": (2, 3)}, r"slots \(2, 3, 4\) instead of \(2, 3\)"),
        ({"offline": True}, "offline False instead of True"),
        ({"fifo": {"buffers": 200}}, r"fifo \(\) instead of \(\('buffers', 200\),\)"),
    ],
)
def test_another_setup_needs_a_new_process(make, xia, options, text):
    with make():
        pass
    with pytest.raises(DriverError, match=f"{text}.*start Python anew"):
        make(**options).open()
    assert xia.calls("Pixie16InitSystem") == 1


def test_after_a_failed_initialisation_a_new_process_is_asked_for(make, xia):
    with pytest.raises(XiaError, match=r"Pixie16InitSystem .slots 2, 7") as caught:
        make((2, 7)).open()
    assert caught.value.code == 200
    with pytest.raises(DriverError, match=r"code -200.*start Python anew"):
        make((2, 3)).open()
    assert xia.calls("Pixie16InitSystem") == 1


def test_where_no_module_was_found_at_all_it_is_tried_again(make, xia):
    xia.call.test_remove_driver(1)
    with pytest.raises(XiaError, match="PLX driver") as caught:
        make().open()
    assert caught.value.code == 201
    with make(offline=True):
        pass
    assert xia.calls("Pixie16InitSystem") == 2


def test_after_a_release_a_new_process_is_asked_for(make, xia):
    digitizer = make()
    with digitizer:
        digitizer.start_run()
        digitizer.release()
    assert xia.calls("Pixie16ExitSystem") == 1
    with pytest.raises(DriverError, match=r"released.*start Python anew"):
        digitizer.open()
    assert xia.calls("Pixie16InitSystem") == 1


def test_modules_are_let_go_when_the_process_ends(make, xia):
    make().open()
    xia.call.test_start_by_itself(1)
    for _ in range(2):
        _xia_crate._release_at_exit(crate_of(XiaLibrary(xia.path)))
    assert xia.calls("Pixie16ExitSystem") == 1
    assert not xia.call.test_online(0)
    assert not xia.call.test_running(1)


def test_a_library_that_something_else_initialised_is_left_alone(
    make, xia, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    slots = (ctypes.c_uint16 * 2)(2, 3)
    assert xia.call.Pixie16InitSystem(2, slots, 0) == 0
    assert xia.call.PixieBootCrate(None, 0) == 0
    with pytest.raises(DriverError, match="something else in this process"):
        make((2, 3)).open()
    assert xia.calls("Pixie16InitSystem") == 1
    assert xia.call.test_online(0)


def test_the_child_of_a_fork_is_refused(make, monkeypatch):
    digitizer = make()
    with digitizer:
        digitizer.start_run()
        own = os.getpid()
        with monkeypatch.context() as patch:
            # Forking a process with threads is what nobody should do, tests included.
            patch.setattr(os, "getpid", lambda: own + 1)
            for call in (
                lambda: digitizer.read(0, 10),
                lambda: digitizer.is_running,
                digitizer.start_run,
                make().open,
            ):
                with pytest.raises(DriverError, match=f"belong to process {own}"):
                    call()
        assert digitizer.is_running


def test_the_child_of_a_fork_closes_no_modules(make, xia, monkeypatch):
    digitizer = make()
    digitizer.open()
    digitizer.start_run()
    own = os.getpid()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: own + 1)
        digitizer.close()
        crate_of(XiaLibrary(xia.path)).release()
    assert xia.calls("Pixie16EndRun") == xia.calls("Pixie16ExitSystem") == 0
    xia.call.Pixie16EndRun(0)


def test_a_boot_that_booted_nothing_is_noticed(make, xia):
    xia.call.test_refuse_boot(1, 1)
    digitizer = make()
    with pytest.raises(
        DriverError, match=r"these slots are not booted: 3; look into .*log"
    ):
        digitizer.open()
    with pytest.raises(DriverError, match="not open"):
        digitizer.start_run()
    # What kept it from booting is gone: the process can go on.
    xia.call.test_refuse_boot(1, 0)
    with digitizer:
        assert len(digitizer.modules) == 3
    assert xia.calls("Pixie16InitSystem") == 1


def test_a_fifo_is_configured_before_the_boot(make, xia):
    with make((2, 3), fifo={"buffers": 10, "hold_usecs": 2000}) as digitizer:
        assert [xia.call.test_fifo_buffers(module) for module in (0, 1)] == [10, 10]
        digitizer.start_run()
        pool = 10 * 65536
        xia.inject(1, np.arange(pool + 5, dtype=np.uint32))
        assert digitizer.fifo_level(1) == pool
        assert digitizer.statistics(1)["words_dropped"] == 5


def test_firmware_is_registered_before_the_boot(make, xia, tmp_path):
    (tmp_path / "spec.json").write_text("{}")
    with make(firmware=tmp_path):
        pass
    assert xia.calls("Pixie16LoadModuleFirmware") == 1
    assert xia.calls("PixieRegisterCrateFirmware") == 0


def test_single_files_of_firmware_are_registered_once(make, xia, tmp_path):
    file = tmp_path / "dsp.ldr"
    file.touch()
    entry = {
        "device": "dsp",
        "path": file,
        "revision": "F",
        "frequency": 250,
        "bits": 16,
    }
    for _ in range(2):
        with make(firmware=[entry]):
            pass
    assert xia.calls("PixieRegisterCrateFirmware") == 1


def test_two_files_for_one_device_are_refused(make, tmp_path):
    entries = []
    for name in ("a.ldr", "b.ldr"):
        (tmp_path / name).touch()
        entries.append(
            {"device": "dsp", "path": tmp_path / name, "revision": 15}
            | {"frequency": 250, "bits": 16}
        )
    with pytest.raises(XiaError, match=r"PixieRegisterCrateFirmware .*b\.ldr.* -207"):
        make(firmware=entries).open()


def test_the_log_is_written_where_it_was_asked_for(make, tmp_path, monkeypatch):
    (tmp_path / "log").mkdir()
    (tmp_path / "spec.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    with make(log_directory="log", firmware="."):
        assert Path.cwd() == tmp_path
    assert (tmp_path / "log" / "Pixie16Msg.log").is_file()
    assert not (tmp_path / "Pixie16Msg.log").exists()


def test_runs_of_a_process_that_died_are_ended(make, xia):
    xia.call.test_start_by_itself(1)
    digitizer = make()
    # The library learns of it when the module is booted; later, before.
    for _ in range(2):
        with digitizer:
            assert not xia.call.test_running(1)
            assert not digitizer.is_running
        xia.call.test_start_by_itself(1)


def test_modules_write_the_number_of_the_crate(make, xia):
    with make(crate=2):
        assert [xia.parameter(module, "CrateID") for module in range(3)] == [2, 2, 2]
    with make(crate=1):
        assert xia.parameter(0, "CrateID") == 1


def test_a_module_that_writes_another_slot_is_refused(make, xia):
    digitizer = make()
    with digitizer:
        pass
    xia.set_parameter(1, "SlotID", 9)
    with pytest.raises(
        DriverError, match=r"slot 3: the module writes another slot .*: 9"
    ):
        digitizer.open()
    xia.set_parameter(1, "SlotID", 0)
    with digitizer:
        pass


def test_numbers_that_do_not_fit_are_refused(make):
    with make() as digitizer:
        # ctypes would make module 1 of 65537.
        for module in (-1, 3, 65537):
            with pytest.raises(DriverError, match=f"there is no module {module}"):
                digitizer.read_module("CrateID", module)
        for channel in (-1, 16, 65536):
            with pytest.raises(DriverError, match=f"there is no channel {channel}"):
                digitizer.read_channel("TAU", 0, channel)


def test_the_session_is_free_when_its_owner_is_gone(make, xia, tmp_path):
    digitizer = XiaDigitizer([2, 3], library=xia.path, log_directory=tmp_path)
    digitizer.open()
    del digitizer
    with make((2, 3)):
        pass
