"""Guides whose snippets run as they stand, one after the other, in an empty folder."""

import re
import shlex
import sys
from collections.abc import Iterable
from contextlib import chdir
from pathlib import Path

import pytest

from tests.cli.conftest import Person

DOCS = Path(__file__).parents[2] / "docs"


def run_guide(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, modules: Iterable[str] = ()
) -> dict[str, int]:
    """Run ``docs/<name>`` in ``folder``; return how many snippets it has of each kind.

    Python runs with the names of the snippets before it, commands as `sightline` in this process. What says
    ``file=`` is written there, and what says ``no-run`` is not run. ``modules`` are those that the guide
    writes, which are forgotten afterwards.
    """
    text = (DOCS / name).read_text()
    snippets = re.findall(r"^```(\w+) ?(\S*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    monkeypatch.syspath_prepend(str(folder))
    for module in modules:
        monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.setitem(sys.modules, module, None)  # so that it is forgotten afterwards
        del sys.modules[module]
    person, names = Person(folder), {}
    counts: dict[str, int] = {}
    with chdir(folder):
        for number, (kind, option, snippet) in enumerate(snippets, start=1):
            counts[kind] = counts.get(kind, 0) + 1
            if option.startswith("file="):
                Path(option.removeprefix("file=")).write_text(snippet)
            elif kind == "python":
                exec(compile(snippet, f"docs/{name}, snippet {number}", "exec"), names)
            elif kind == "sh" and option != "no-run":
                for line in snippet.splitlines():
                    person.ok(*_words(line)[1:])
    return counts


def _words(line: str) -> list[str]:
    """The words of a command as a shell would give them, patterns of files expanded."""
    words: list[str] = []
    for word in shlex.split(line, comments=True):
        files = sorted(map(str, Path().glob(word))) if "*" in word else []
        words += files or [word]
    return words
