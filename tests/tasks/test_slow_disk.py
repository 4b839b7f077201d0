"""A slow disk is told when it becomes worse, and not again and again."""

from __future__ import annotations

from pixie_pipe.tasks._slow_disk import SILENT_S, SlowDiskWatch


def look(watch, now, *, write_s=0.0, slowest_write_s=0.0, slowest_sync_s=0.0):
    return watch.look(
        now,
        write_s=write_s,
        slowest_write_s=slowest_write_s,
        slowest_sync_s=slowest_sync_s,
    )


def test_a_fast_disk_is_not_told():
    watch = SlowDiskWatch()
    for step in range(1000):
        text = look(
            watch, step / 10, write_s=step / 25, slowest_write_s=0.9, slowest_sync_s=9
        )
        assert text == ""


def test_a_slow_write_is_told_until_there_is_a_slower_one():
    watch = SlowDiskWatch()
    assert "a write took 1.2 s" in look(watch, 0, slowest_write_s=1.2)
    assert look(watch, 1, slowest_write_s=9.0) == ""
    assert "a write took 9.0 s" in look(watch, SILENT_S, slowest_write_s=9.0)
    assert look(watch, 9 * SILENT_S, slowest_write_s=9.0) == ""


def test_a_slow_sync_is_told():
    watch = SlowDiskWatch()
    text = look(watch, 5, slowest_sync_s=12.0)
    assert text.startswith("the disk is slow: the disk took 12.0 s to take in a file; ")
    assert look(watch, 5 + SILENT_S, slowest_sync_s=12.0) == ""


def test_writing_that_takes_most_of_the_time_is_told_while_it_does():
    watch = SlowDiskWatch()
    told = [
        (now, text)
        for now in range(100)
        if (text := look(watch, now, write_s=0.6 * min(now, 50)))
    ]
    assert [now for now, _ in told] == [10, 10 + SILENT_S]
    assert "writing took 60% of the last 10 s" in told[0][1]
