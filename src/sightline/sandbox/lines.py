"""Cut a stream of bytes into lines, in bounded memory whatever the job prints."""

from collections.abc import Iterator

MAX_LINE_BYTES = 16384
"""Longer lines lose their end, which ``CUT_MARK`` stands for."""

CUT_MARK = " … [line cut]"


class LineSplitter:
    """Feed it bytes as they come; it yields whole lines as text, invalid UTF-8 replaced.

    A carriage return starts the line anew, as on a terminal: of a progress bar that redraws itself, the
    last state is kept.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self._cut = False

    def feed(self, data: bytes) -> Iterator[str]:
        """The lines that ``data`` completes."""
        *whole, rest = data.split(b"\n")
        for part in whole:
            self._hold(part)
            yield self._take()
        self._hold(rest)

    def finish(self) -> Iterator[str]:
        """The last line where the stream ended without a line end."""
        if self._held:
            yield self._take()

    def _hold(self, part: bytes) -> None:
        # A return at the very end may belong to a line end that is still to come, so it stays.
        start = part.rstrip(b"\r").rfind(b"\r") + 1
        if start or (part.strip(b"\r") and self._held.endswith(b"\r")):
            self._held.clear()
            self._cut = False
        room = MAX_LINE_BYTES - len(self._held)
        piece = part[start:]
        self._held += piece[:room]
        if len(piece.rstrip(b"\r")) > room:
            self._cut = True

    def _take(self) -> str:
        text = self._held.rstrip(b"\r").decode(errors="replace")
        if self._cut:
            text += CUT_MARK
        self._held.clear()
        self._cut = False
        return text
