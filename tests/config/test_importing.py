import subprocess
import sys
from pathlib import Path

import pytest
from torch import nn, optim

from sightline.config import class_path_of, import_object
from sightline.errors import SightlineError
from tests.config.settings import Maker


def test_there_and_back() -> None:
    for target, class_path in (
        (optim.AdamW, "torch.optim.AdamW"),
        (nn.CrossEntropyLoss, "torch.nn.CrossEntropyLoss"),
        (Maker.make, "tests.config.settings.Maker.make"),
        (Path, "pathlib.Path"),
        (len, "builtins.len"),
    ):
        assert class_path_of(target) == class_path
        assert import_object(class_path) == target


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return tmp_path


def test_a_file_is_run_once_and_finds_its_neighbours(here: Path) -> None:
    (here / "code").mkdir()
    (here / "code" / "near_by.py").write_text("NAME = 'near'")
    (here / "code" / "parts.py").write_text("import near_by\nclass Part:\n    name = near_by.NAME\n")
    before = list(sys.path)
    part = import_object("code/parts.py:Part")
    assert part.name == "near"
    assert import_object(f"{here}/code/parts.py:Part") is part
    assert class_path_of(part) == "code/parts.py:Part"
    assert sys.path == before


def test_a_module_of_the_working_directory(here: Path) -> None:
    (here / "my_sightline_module.py").write_text("def make(): return 3")
    assert import_object("my_sightline_module.make")() == 3
    assert import_object("my_sightline_module.py:make") is import_object("my_sightline_module.make")


@pytest.mark.parametrize(
    ("class_path", "why"),
    [
        ("torch.optm.AdamW", "torch has no 'optm'; did you mean 'optim'?"),
        ("torch.optim.AdmW", "torch.optim has no 'AdmW'; did you mean 'AdamW'?"),
        ("torch.nn.Linear.froward", "Linear has no 'froward'; did you mean 'forward'?"),
        ("trch.nn.Linear", "there is no module 'trch'; did you mean 'torch'?"),
        (
            "no_such_thing_at_all.Linear",
            "there is no module 'no_such_thing_at_all'; install it, or check the name.",
        ),
        ("part.py:Thing", "there is no file part.py; did you mean 'parts.py'?"),
        ("parts.txt:Thing", "parts.txt is not a .py file; write path/to/file.py:Name."),
        ("parts.py:Thing", "parts.py has no 'Thing'; did you mean 'Thin'?"),
        ("broken.Thing", "ModuleNotFoundError: No module named 'nothing_there' ({here}/broken.py, line 2)."),
        (
            "broken.py:Thing",
            "ModuleNotFoundError: No module named 'nothing_there' ({here}/broken.py, line 2).",
        ),
        ("raises.Thing", "ZeroDivisionError: division by zero ({here}/raises.py, line 1)."),
        ("typo.Thing", "SyntaxError: '(' was never closed ({here}/typo.py, line 1)."),
    ],
)
def test_errors_say_which_part_and_why(here: Path, class_path: str, why: str) -> None:
    for name, text in (
        ("parts", "Thin = 1"),
        ("broken", "\nimport nothing_there"),
        ("raises", "1 / 0"),
        ("typo", "f("),
    ):
        (here / f"{name}.py").write_text(text)
    with pytest.raises(SightlineError) as error:
        import_object(class_path)
    assert str(error.value) == f"cannot import '{class_path}': {why.format(here=here)}"


@pytest.mark.parametrize("class_path", ["AdamW", "", "a..b", "torch.nn.", "a b.c", "1.x"])
def test_what_is_no_class_path(class_path: str) -> None:
    with pytest.raises(
        SightlineError, match=r"is not the path of a Python object; write package.module.Name"
    ):
        import_object(class_path)


def test_the_running_script_is_not_run_again(here: Path) -> None:
    (here / "script.py").write_text(
        "from sightline.config import component, import_object\n"
        "print('run')\n"
        "class Mine: pass\n"
        "part = component(Mine)\n"
        "print(part.class_path, import_object(part.class_path) is Mine)\n"
    )
    done = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["run", "script.py:Mine True"]


def test_the_room_is_light() -> None:
    code = "import sys, sightline.config; print(*({'torch', 'numpy', 'polars'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
