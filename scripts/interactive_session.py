#!/usr/bin/env python3
"""A session at the prompt of IPython, as the commands that one would type.

Paste them one after another, or run the whole and stay at the prompt:

    ipython -i scripts/interactive_session.py
"""

from __future__ import annotations

from pixie_pipe.pipeline import Pipeline

# At the prompt this line is not needed. In a file it is: tasks are processes of their
# own, which import the file, and must not begin the session anew.
if __name__ == "__main__":
    # A pipeline, task by task; each one reads from the one before it.
    pipe = Pipeline(runs="runs", title="A first look")
    pipe.create_task("DummyData", rate_hz=20_000)
    pipe.create_task("GatherData")
    pipe.create_task("ConvertToEvents")
    pipe.create_task("SortEvents", window_us=100)
    pipe.create_task("WriteEvents")
    pipe.create_task("FillHistograms", label="spectra", after="SortEvents")
    print(pipe)

    # The same from a file would be: pipe = Pipeline.from_config("configs/demo.yaml")

    # Parameters are attributes, with completion; pipe.configure takes many at once.
    pipe.tasks.SortEvents.window_us = 50
    pipe.configure({"DummyData": {"channels": 4}})
    print(pipe.tasks.DummyData)

    # A first run. The prompt is free while it goes on; `wait` shows how it goes.
    pipe.start()
    pipe.wait(2)
    print(pipe.status())
    pipe.stop()
    print(pipe.balance())
    print(pipe.run_directory)

    # While the tasks wait, change something and begin the next run: it gets a number
    # and a directory of its own.
    pipe.tasks.DummyData.rate_hz = 50_000
    pipe.title = "More of it"
    pipe.start()
    pipe.wait(2)
    pipe.stop()
    print(pipe.balance())

    # At the end: all processes leave.
    pipe.quit()
