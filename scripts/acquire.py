#!/usr/bin/env python3
"""Take runs, one after another, as a configuration describes.

A script to start your own from. Each run has the same length and a directory of its
own; the exit code is 1 if one of them is not complete.

Usage: python scripts/acquire.py configs/demo.yaml --count 3 --seconds 60
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pixie_pipe.pipeline import Pipeline


def parse_arguments() -> argparse.Namespace:
    """Return what was given on the command line."""
    parser = argparse.ArgumentParser(description="Take runs, one after another.")
    parser.add_argument("config", type=Path, help="YAML file of the pipeline")
    parser.add_argument("--count", type=int, default=1, help="number of runs")
    parser.add_argument("--seconds", type=float, default=60, help="length of a run")
    parser.add_argument("--runs", type=Path, help="directory of the runs")
    return parser.parse_args()


def take_run(pipeline: Pipeline, seconds: float) -> bool:
    """Take one run, and tell whether it is complete."""
    pipeline.start()
    # Returns sooner if the source ends, or after Ctrl-C; raises if the run fails.
    pipeline.wait(seconds)
    # Sources first; then what is under way is worked off. All tasks wait afterwards.
    pipeline.stop()
    balance = pipeline.balance()
    print(f"{pipeline.run_directory}: {balance}")
    return balance.closes


def main() -> int:
    """Take the runs."""
    arguments = parse_arguments()
    settings = {} if arguments.runs is None else {"runs": arguments.runs}
    complete = True
    # Leaving the block ends all processes, whatever happens.
    with Pipeline.from_config(arguments.config, **settings) as pipeline:
        for number in range(1, arguments.count + 1):
            pipeline.title = f"Run {number} of {arguments.count}"
            complete &= take_run(pipeline, arguments.seconds)
    return 0 if complete else 1


# Tasks are processes of their own, which import this file: they must not begin anew.
if __name__ == "__main__":
    sys.exit(main())
