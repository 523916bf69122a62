"""Where each value of a specification was written, kept beside the values."""

from collections.abc import Sequence
from dataclasses import dataclass, field

Key = str | int
Path = tuple[Key, ...]


@dataclass
class Source:
    """A text that values were read from, with the place of each key path.

    A place is a line of the text (from 1), or a phrase such as ``override 'optimizer.lr=1'``.
    """

    name: str
    has_lines: bool = True
    places: dict[Path, int | str] = field(default_factory=dict)

    def at(self, line: int, column: int | None = None) -> str:
        """``spec.yaml:12``, both counted from 1; the name alone for a text that is on one line."""
        numbers = (line, column) if self.has_lines else ()
        return ":".join(str(part) for part in (self.name, *numbers) if part is not None)

    def place(self, path: Sequence[Key]) -> str:
        """``spec.yaml:12``: where ``path`` is, or the nearest thing around it that was written."""
        for length in range(len(path), 0, -1):
            found = self.places.get(tuple(path[:length]))
            if found is not None:
                return self.at(found) if isinstance(found, int) else found
        return self.name

    def replace(self, path: Path, phrase: str) -> None:
        """Say that the value at ``path``, with all in it, now comes from elsewhere."""
        inside = [known for known in self.places if known[: len(path)] == path]
        for known in inside:
            del self.places[known]
        self.places[path] = phrase


@dataclass(eq=False)
class Origin:
    """Which part of which text an object was read from; of no matter when objects are compared."""

    source: Source | None = None
    path: Path = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Origin)

    def __hash__(self) -> int:
        return 0

    def below(self, key: Key) -> "Origin":
        """The origin of a value inside."""
        return Origin(self.source, (*self.path, key))

    def describe(self, keys: Sequence[Key] = (), where: str = "", *, key: bool = False) -> str:
        """``spec.yaml:12: optimizer.init_args.lr``; without a text, the same below ``where``.

        Args:
            keys: a path from here.
            where: the key path of what has no text.
            key: name only what is around the last key.
        """
        start = self.path if self.source else ((where,) if where else ())
        path = (*start, *keys)
        place = self.source.place(path) if self.source else ""
        return ": ".join(part for part in (place, key_path(path[:-1] if key else path)) if part)


def key_path(path: Sequence[Key]) -> str:
    """``callbacks.0.init_args.patience``, the form in which overrides name a value."""
    return ".".join(map(str, path))
