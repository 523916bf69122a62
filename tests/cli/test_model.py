from pathlib import Path

import pytest

from tests.cli.conftest import Person
from tests.deploy.handmade import classifier


@pytest.fixture
def ada(tmp_path: Path) -> Person:
    classifier(tmp_path / "cells.onnx", name="cells", licence="MIT", metrics={"validation/accuracy": 0.9})
    return Person(tmp_path)


def test_kept_listed_shown_fetched_removed(ada: Person) -> None:
    assert "there are no models in" in ada.ok("model", "ls").err
    reference = ada.ok("model", "push", "cells.onnx").out.strip()
    assert reference.startswith("cells@20")
    assert "already" in ada.ok("model", "push", "cells.onnx").err
    assert "accuracy 0.9000" in ada.ok("model", "ls").out
    assert ada.ok("model", "ls", "cells", "--json").json[0]["sha256"]
    shown = ada.ok("model", "show", "cells").out
    for text in (reference, "red, green, blue", "MIT", "validation/accuracy"):
        assert text in shown
    assert ada.ok("model", "show", "cells.onnx", "--json").json["licence"] == "MIT"
    assert ada.ok("model", "pull", reference, "-o", "back.onnx").out.strip() == "back.onnx"
    assert (ada.home / "back.onnx").read_bytes() == (ada.home / "cells.onnx").read_bytes()
    refused = ada("model", "rm", "cells")
    assert (refused.code, "Nobody is there to answer; add --yes" in refused.err) == (1, True)
    assert ada.ok("model", "rm", "cells", "--yes").out == f"removed {reference}\n"
    gone = ada("model", "pull", "cells")
    assert (gone.code, "there is no model 'cells'" in gone.err) == (1, True)


def test_another_place(ada: Person) -> None:
    ada.ok("model", "push", "cells.onnx", "--name", "mine", "--registry", "elsewhere")
    assert "mine@" in ada.ok("model", "ls", "--registry", "elsewhere").out
    assert ada.ok("model", "ls").out == ""
