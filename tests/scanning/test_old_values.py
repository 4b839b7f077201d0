"""What a scan has changed is given back, whatever happens."""

from __future__ import annotations

import os
import signal

import pytest

from pixie_pipe.drivers.digitizer import DriverError
from pixie_pipe.scanning.holding import held_signals
from pixie_pipe.settings import ChangesRefusedError, RestoreError

RISE = "ENERGY_RISETIME"
THRESHOLD = "TRIGGER_THRESHOLD"


@pytest.mark.parametrize("error", [KeyboardInterrupt, DriverError, ZeroDivisionError])
@pytest.mark.usefixtures("untouched")
def test_after_an_error_in_a_run(run, crate, monkeypatch, error):
    def fail(module, channel):
        raise error("in the middle")

    monkeypatch.setattr(crate, "histogram", fail)
    with pytest.raises(error):
        run(RISE, "2,6", measure="peak_width")
    assert not crate.is_running


@pytest.mark.usefixtures("untouched")
def test_after_an_error_while_a_run_goes_on(run, crate, monkeypatch):
    def fail(module, max_words):
        raise DriverError("the bus is gone")

    monkeypatch.setattr(crate, "read", fail)
    with pytest.raises(DriverError, match="the bus is gone"):
        run(RISE, "2,6", measure="input_rate")


@pytest.mark.usefixtures("untouched")
def test_after_a_run_that_did_not_stop_at_once(run, crate, monkeypatch):
    real, calls = crate.stop_run, []

    def stop():
        calls.append("stop")
        if len(calls) == 1:
            raise DriverError("no answer")
        real()

    monkeypatch.setattr(crate, "stop_run", stop)
    with pytest.raises(DriverError, match="no answer"):
        run(RISE, "2,6", measure="input_rate")
    assert not crate.is_running


@pytest.mark.usefixtures("untouched")
def test_after_a_refused_value(run, crate, monkeypatch):
    real = crate.write_channel

    def refuse(name, value, module, channel):
        if value > 5:
            raise DriverError("too long")
        real(name, value, module, channel)

    monkeypatch.setattr(crate, "write_channel", refuse)
    with pytest.raises(ChangesRefusedError, match="too long"):
        run(RISE, "2,6", measure="baseline_noise")


def test_it_is_told_if_they_are_refused(run, crate, monkeypatch):
    real = crate.write_channel

    def refuse(name, value, module, channel):
        if value == 4 and (module, channel) == (1, 1):
            raise DriverError("no access")
        real(name, value, module, channel)

    monkeypatch.setattr(crate, "write_channel", refuse)
    with pytest.raises(RestoreError) as caught:
        run(RISE, "2,6", measure="baseline_noise")
    text = str(caught.value)
    assert "c0-s03, channel 1: ENERGY_RISETIME was 4, and is 6: no access" in text
    assert "c0-s02" not in text
    # All others are back.
    assert crate.values[RISE, 0, 0] == crate.values[RISE, 1, 0] == 4


def test_it_is_told_if_they_are_not_there(run, crate, monkeypatch):
    def write(name, value, module, channel):
        crate.values[name, module, channel] = value + 1

    monkeypatch.setattr(crate, "write_channel", write)
    with pytest.raises(RestoreError, match="was 4, and is 5"):
        run(RISE, "2", measure="baseline_noise")


def test_what_ended_the_scan_is_told_too(run, crate, monkeypatch):
    def lose(*_):
        raise DriverError("the crate is off")

    def lost(_):
        for name in ("write_channel", "baselines"):
            monkeypatch.setattr(crate, name, lose)
        raise KeyboardInterrupt

    monkeypatch.setattr(crate, "baselines", lost)
    with pytest.raises(RestoreError) as caught:
        run(RISE, "2", measure="baseline_noise")
    assert "The scan was ended by: KeyboardInterrupt" in str(caught.value)


@pytest.mark.usefixtures("untouched")
def test_values_that_depend_on_each_other_come_back(run, crate, monkeypatch):
    real = crate.write_channel

    def write(name, value, module, channel):
        # As lengths of a filter, of which the sum is limited.
        other = THRESHOLD if name == RISE else RISE
        if value + crate.values[other, module, channel] > 60:
            raise DriverError("the sum is too large")
        real(name, value, module, channel)

    monkeypatch.setattr(crate, "write_channel", write)
    # 50 and 32 together are refused, whichever comes first.
    run(THRESHOLD, [20], RISE, [32], measure="baseline_noise")


@pytest.mark.parametrize(
    ("name", "values"), [("TAU", "20,30"), ("Polarity", "positive")]
)
@pytest.mark.usefixtures("untouched")
def test_what_changes_along_comes_back(run, crate, monkeypatch, name, values):
    real = crate.write_channel

    def write(name, value, module, channel):
        real(name, value, module, channel)
        if name in {"TAU", "CHANNEL_CSRA"}:
            # As the library finds a new cut.
            crate.values["BLCUT", module, channel] = value + 100

    monkeypatch.setattr(crate, "write_channel", write)
    run(name, values, measure="baseline_noise")


@pytest.mark.usefixtures("untouched")
def test_ctrl_c_waits_while_they_are_given_back(run, crate, monkeypatch):
    real = crate.write_channel

    def write(name, value, module, channel):
        if value == 4:
            os.kill(os.getpid(), signal.SIGINT)
        real(name, value, module, channel)

    monkeypatch.setattr(crate, "write_channel", write)
    with pytest.raises(KeyboardInterrupt):
        run(RISE, "2", measure="baseline_noise", modules=0, channels=[0, 1])


def interrupt_in(body):
    with held_signals():
        signal.raise_signal(signal.SIGINT)
        body()


def test_signals_are_held_and_come_afterwards():
    done = []
    with pytest.raises(KeyboardInterrupt):
        interrupt_in(lambda: done.append("body"))
    assert done == ["body"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_goes_before_a_held_signal():
    with pytest.raises(ZeroDivisionError):
        interrupt_in(lambda: 1 / 0)


def test_the_third_signal_is_not_held():
    done = []

    def impatient():
        for number in range(5):
            signal.raise_signal(signal.SIGINT)
            done.append(number)

    with pytest.raises(KeyboardInterrupt):
        interrupt_in(impatient)
    assert done == [0]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
