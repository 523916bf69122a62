import os
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.cli.conftest import Person
from tests.deploy.trained import Run, train


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    return cache(lambda kind: train(kind, tmp_path_factory.mktemp(kind)))


@pytest.fixture
def ada(tmp_path: Path, trained: Callable[[str], Run]) -> Person:
    (tmp_path / "data").symlink_to(trained("classification").data)
    (tmp_path / "run").symlink_to(trained("classification").folder)
    return Person(tmp_path)


def test_exported_shown_and_measured(ada: Person) -> None:
    done = ada.ok("export", "run", "--format", "torchscript", "--name", "hues", "--licence", "MIT")
    (path,) = ada.home.glob("hues_accuracy=*.torchscript")
    assert str(path.name) in done.out
    assert "6 images of the dataset, scores differ by at most" in done.out
    assert ada.ok("model", "show", path.name, "--json").json["name"] == "hues"
    measured = ada.ok("eval", path.name, "--data", "data", "--json").json
    expected = ada.ok("eval", "run", "--json", "--no-report").json
    assert measured == {name: value for name, value in expected.items() if name != "test/loss"}
    assert ada.ok("eval", "run", "--json", "--no-report", "--data", "data").json == expected
    result = ada("eval", path.name)
    assert (result.code, "has no dataset of its own; say which with --data" in result.err) == (1, True)
    result = ada("eval", path.name, "seed=1", "--data", "data")
    assert (result.code, "has no spec, so there is nothing to replace in it" in result.err) == (1, True)


def test_weights_of_elsewhere_with_a_spec(ada: Person) -> None:
    ada.ok("weights", "save", "run", "weights.safetensors")
    spec = "run/spec.yaml"
    ada.ok("export", "weights.safetensors", "--spec", spec, "-o", "a.safetensors")
    card = ada.ok("model", "show", "a.safetensors", "--json").json
    assert card["metrics"]["validation/accuracy"] >= 0, (
        "they are measured where nothing says how good they are"
    )
    result = ada("export", "weights.safetensors")
    assert (result.code, "holds weights alone; say with --spec which model they are of" in result.err) == (
        1,
        True,
    )


def test_mistakes_are_one_sentence_each(ada: Person) -> None:
    cases = {
        (
            "run",
            "-o",
            "a.jpg",
        ): "a.jpg: the name of the file has to end in .onnx, .torchscript, .pt2",
        ("run", "-o", "a.onnx", "--format", "pt2"): "a.onnx: the name of the file has to end in .pt2.",
        (
            "run",
            "--format",
            "pt2",
            "--precision",
            "int8",
        ): "int8 is for ONNX files; choose fp32 or fp16",
        ("nothing",): "nothing",
        ("wandb:cells",): "wandb:cells: is no artifact; write wandb:entity/project/model-id:v0.",
        ("run", "-o", "/proc/a.safetensors"): "/proc/a.safetensors: cannot be written",
    }
    for words, sentence in cases.items():
        result = ada("export", *words)
        assert (result.code, sentence in result.err) == (1, True), (words, result.err)
    assert {path.name for path in ada.home.iterdir()} <= {"data", "run", "config.json"}


def test_serve_says_where_it_is_and_ends_on_a_signal(ada: Person) -> None:
    import signal
    import sys

    import httpx

    ada.ok("export", "run", "-o", "a.torchscript")
    command = [sys.executable, "-m", "sightline.cli.main", "serve", "a.torchscript", "--port", "0"]
    process = subprocess.Popen(command, cwd=ada.home, stdout=subprocess.PIPE, text=True, env=os.environ)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = line.partition(" at ")[2].split()[0]
        assert httpx.get(f"{url}/card").json()["name"] == "classification"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()
