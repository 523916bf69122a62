import subprocess
import sys
from pathlib import Path

import pytest

from sightline.cli.missing import missing_package

WITHOUT_TORCH = """
import sys
from importlib.abc import MetaPathFinder
class NotInstalled(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, NotInstalled())
from sightline.cli.main import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("module", "extra"), [("torch.nn", "train"), ("segmentation_models_pytorch", "train"), ("av", "video")]
)
def test_the_extra_that_installs_a_package_is_named(module: str, extra: str) -> None:
    told = missing_package(ModuleNotFoundError(name=module))
    package = module.partition(".")[0].replace("_", "-")
    assert told == f"this needs {package}; install it with pip install 'sightline[{extra}]'."


@pytest.mark.parametrize("module", ["numpy", "my_own_models", None])
def test_other_packages_are_not_ours_to_name(module: str | None) -> None:
    assert missing_package(ModuleNotFoundError(name=module)) is None


@pytest.mark.parametrize("words", [["train", "spec.yaml"], ["eval", "model.onnx", "--data", "cells"]])
def test_a_command_that_needs_torch_says_so_in_one_sentence(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text("name: a\ntask: {class_path: sightline.tasks.Classification}\n")
    (tmp_path / "model.onnx").touch()
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *words], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == "error: this needs torch; install it with pip install 'sightline[train]'.\n"
