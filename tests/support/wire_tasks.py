"""A task that says what no task says."""

from __future__ import annotations

from pixie_pipe.pipeline import Parameter, Task


class Babble(Task):
    """Passes on, and sends raw frames to the pipeline in place of a message, once."""

    parameters = {"frames": Parameter("", "frames in hexadecimal, parted by commas")}

    def do_start(self):
        self.count = 0

    def do_work(self, datum):
        self.count += 1
        if self.count == 3 and self.config.frames:
            frames = [bytes.fromhex(part) for part in self.config.frames.split(",")]
            # A mark for size, which no parameter could carry.
            frames = [frame * 3_000_000 if frame == b"*" else frame for frame in frames]
            self._endpoint.control.socket.send_multipart(frames)
        return datum
