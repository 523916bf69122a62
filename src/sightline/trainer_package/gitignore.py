"""Patterns in gitignore syntax, with git's meaning: each is asked about one file or folder at a time.

A library that answers for whole paths cannot tell ``!scripts/`` (look into the folder) from "pack all that
is in it"; walking down as git does, and asking about each entry, can.
"""

import re
from dataclasses import dataclass

_CHARACTER_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": r"\ \t",
    "digit": "0-9",
    "lower": "a-z",
    "punct": re.escape("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
    "space": r"\s",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}
_NEVER = r"(?!)"


@dataclass(frozen=True)
class Pattern:
    """One line of an ignore file. ``negated``: what it matches is brought back."""

    text: str
    negated: bool
    folders_only: bool
    name_only: bool
    expression: re.Pattern[str]

    def matches(self, path: str, *, is_folder: bool) -> bool:
        """Whether the line is about this entry itself; ``path`` is relative, without a last ``/``."""
        if self.folders_only and not is_folder:
            return False
        asked = path.rpartition("/")[2] if self.name_only else path
        return self.expression.fullmatch(asked) is not None


def parse_pattern(line: str) -> Pattern | None:
    """The pattern on a line; None for a blank line or a comment.

    Raises:
        ValueError: the line can never match: an open bracket, a backslash at its end, nothing after ``!``.
    """
    text = _without_trailing_spaces(line.rstrip("\r\n"))
    if not text or text.startswith("#"):
        return None
    negated = text.startswith("!")
    glob = text[1:] if negated else text
    folders_only = glob.endswith("/")
    glob = glob.removesuffix("/")
    name_only = "/" not in glob
    glob = glob.removeprefix("/")
    if not glob:
        raise ValueError("it names nothing")
    expression = re.compile(_Translation(glob).expression(), re.DOTALL)
    return Pattern(text, negated, folders_only, name_only, expression)


def _without_trailing_spaces(line: str) -> str:
    kept = line.rstrip(" ")
    backslashes = len(kept) - len(kept.rstrip("\\"))
    # An odd number of backslashes escapes the first of the spaces.
    return kept + " " if backslashes % 2 and len(kept) < len(line) else kept


class _Translation:
    """A glob on its way to becoming a regular expression."""

    def __init__(self, glob: str) -> None:
        self._glob = glob
        self._at = 0

    def expression(self) -> str:
        parts: list[str] = []
        while self._at < len(self._glob):
            character = self._glob[self._at]
            if character == "*":
                parts.append(self._stars())
            elif character == "[":
                parts.append(self._bracket())
            else:
                self._at += 1
                parts.append("[^/]" if character == "?" else re.escape(self._literal(character)))
        return "".join(parts)

    def _literal(self, character: str) -> str:
        if character != "\\":
            return character
        if self._at == len(self._glob):
            raise ValueError("it ends with a backslash")
        self._at += 1
        return self._glob[self._at - 1]

    def _stars(self) -> str:
        start = self._at
        while self._glob[self._at : self._at + 1] == "*":
            self._at += 1
        after = self._glob[self._at : self._at + 1]
        whole_part = (start == 0 or self._glob[start - 1] == "/") and after in ("", "/")
        if self._at - start == 1 or not whole_part:
            return "[^/]*"
        if after == "/":
            self._at += 1
            return "(?:.*/)?"  # no folder at all, or any number of them
        return ".*"

    def _bracket(self) -> str:
        self._at += 1
        negated = self._glob[self._at : self._at + 1] in ("!", "^")
        self._at += negated
        items: list[str] = []
        first = True
        while first or self._glob[self._at : self._at + 1] != "]":
            items.append(self._bracket_item())
            first = False
        self._at += 1
        inside = "".join(items)
        if not inside:
            return "[^/]" if negated else _NEVER
        return f"(?!/)[{'^' if negated else ''}{inside}]"

    def _bracket_item(self) -> str:
        named = re.compile(r"\[:(\w*):\]").match(self._glob, self._at)
        if named:
            self._at = named.end()
            if named[1] not in _CHARACTER_CLASSES:
                raise ValueError(f"there is no class of characters [:{named[1]}:]")
            return _CHARACTER_CLASSES[named[1]]
        low = self._bracket_character()
        range_ahead = self._glob[self._at : self._at + 1] == "-"
        if not range_ahead or self._glob[self._at + 1 : self._at + 2] in ("", "]"):
            return re.escape(low)
        self._at += 1
        high = self._bracket_character()
        return f"{re.escape(low)}-{re.escape(high)}" if low <= high else ""

    def _bracket_character(self) -> str:
        if self._at == len(self._glob):
            raise ValueError("a bracket is open")
        self._at += 1
        return self._literal(self._glob[self._at - 1])
