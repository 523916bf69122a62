"""What a job prints, passed on line by line."""

import os
import time
from typing import IO

from sightline.sandbox.job import OnLine
from sightline.sandbox.lines import LineSplitter

_CHUNK_BYTES = 1 << 16


class Stream:
    """One of a job's two outputs. Never waits, and holds at most one line."""

    def __init__(self, name: str, pipe: IO[bytes], on_line: OnLine) -> None:
        os.set_blocking(pipe.fileno(), False)
        self.open = True
        self.pipe = pipe
        self._name, self._on_line = name, on_line
        self._splitter = LineSplitter()

    def read(self) -> bool:
        """Pass on what one read gives; False when there was nothing. At the end, ``open`` turns False."""
        try:
            data = os.read(self.pipe.fileno(), _CHUNK_BYTES)
        except BlockingIOError:
            return False
        for line in self._splitter.feed(data):
            self._on_line(self._name, line)
        if not data:
            self.open = False
            for line in self._splitter.finish():
                self._on_line(self._name, line)
        return bool(data)

    def drain(self, patience_s: float) -> None:
        """Read to the end, once nobody writes any more."""
        until = time.monotonic() + patience_s
        while self.open:
            if self.read():
                until = time.monotonic() + patience_s
            elif time.monotonic() > until:
                return
            elif self.open:
                time.sleep(0.002)

    def last_words(self) -> str:
        """The last line so far, where it is a tool's complaint rather than the job's output."""
        words: list[str] = []
        self._on_line = lambda _, text: words.append(text) if text.strip() else None
        self.drain(0.2)
        return words[-1].strip() if words else "it ended without a word"
