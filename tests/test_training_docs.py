"""The guide to training does as it says, and the reference of the spec is the one of these classes."""

import re
import shlex
import sys
from contextlib import chdir
from pathlib import Path

import pytest

from tests.cli.conftest import Person

DOCS = Path(__file__).parents[1] / "docs"


def test_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (DOCS / "training.md").read_text()
    snippets = re.findall(r"^```(\w+) ?(\S*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    kinds = [kind for kind, _, _ in snippets]
    assert (kinds.count("sh"), kinds.count("python"), kinds.count("yaml")) == (8, 5, 2)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "digits", raising=False)
    monkeypatch.setitem(sys.modules, "digits", None)  # so that it is forgotten afterwards
    del sys.modules["digits"]
    person, names = Person(tmp_path), {}
    with chdir(tmp_path):
        for number, (kind, option, snippet) in enumerate(snippets, start=1):
            if option.startswith("file="):
                Path(option.removeprefix("file=")).write_text(snippet)
            elif kind == "python":
                exec(compile(snippet, f"docs/training.md, snippet {number}", "exec"), names)
            elif kind == "sh" and option != "no-run":
                for line in snippet.splitlines():
                    person.ok(*shlex.split(line)[1:])
    assert len((tmp_path / "predictions.jsonl").read_text().splitlines()) == 179
    assert (tmp_path / "elsewhere" / "spec.yaml").is_file()


def test_the_reference_of_the_spec_is_current() -> None:
    from sightline.engine.spec_reference import reference

    assert (DOCS / "spec.md").read_text() == reference(), (
        "python -m sightline.engine.spec_reference > docs/spec.md"
    )
