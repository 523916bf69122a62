import pytest

from sightline.trainer_package import check_folder, checks
from tests.trainer_package.conftest import WriteTree


def test_a_sound_package_has_no_problems(write_tree: WriteTree) -> None:
    assert check_folder(write_tree()) == []
    assert (
        check_folder(write_tree({"pyproject.toml": None, "src/trainer/model.py": None}, root="small")) == []
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"Dockerfile": None}, "Dockerfile is missing at the top of the package; add one"),
        ({"Dockerfile": None, "dockerfile": "FROM a\n"}, "rename 'dockerfile' to it."),
        ({"Dockerfile": "# FROM a\n"}, "Dockerfile: has no FROM line"),
        ({"scripts/train.py": None}, "scripts/ is missing or empty; put the training script there."),
        ({"scripts/train.py": "def f(:\n"}, "scripts/train.py line 1: is not valid Python 3"),
        ({"scripts/train.py": "x = 1\nreturn x\n"}, "scripts/train.py line 2: is not valid Python 3"),
        ({"scripts/deep/a.py": "if x:\n"}, "scripts/deep/a.py line 1: is not valid"),
        ({"scripts/train.py": "a\0b"}, "scripts/train.py: is not valid Python 3"),
        ({"scripts/train.py": "(" * 500 + ")" * 500}, "scripts/train.py line 1: is not valid Python 3"),
        ({"scripts/train.py": "-" * 200_000 + "1"}, "scripts/train.py"),
        (
            {"pyproject.toml": "[project]\nname = \n"},
            "pyproject.toml: is not valid TOML: Invalid value (at line 2",
        ),
        (
            {"pyproject.toml": '[project]\nrequires-python = "new"\n'},
            "pyproject.toml: requires-python = 'new' is not",
        ),
        (
            {"pyproject.toml": '[project]\ndependencies = ["numpy=="]\n'},
            "pyproject.toml: dependency 'numpy==' is not",
        ),
        (
            {"pyproject.toml": None, "requirements.txt": "\n# x\n???\n"},
            "requirements.txt line 3: '???' is not",
        ),
        ({"Dockerfile": None, ".sightlineignore": "scripts/\n"}, "Dockerfile is missing"),
        ({".sightlineignore": "scripts/\n"}, "(left out: scripts/ (.sightlineignore line 1: scripts/))."),
        ({".sightlineignore": "Docker*\n"}, "(left out: Dockerfile (.sightlineignore line 1: Docker*))."),
    ],
)
def test_each_thing_wrong_has_its_sentence(
    write_tree: WriteTree, changes: dict[str, str | None], sentence: str
) -> None:
    problems = check_folder(write_tree(changes))
    assert any(sentence in problem for problem in problems), problems
    assert all("\n" not in problem and problem.endswith(".") for problem in problems)


def test_all_problems_come_at_once(write_tree: WriteTree) -> None:
    changes = {
        "Dockerfile": None,
        "scripts/train.py": "def\n",
        "scripts/other.py": "class\n",
        "pyproject.toml": "x",
    }
    assert len(check_folder(write_tree(changes))) == 4


def test_everything_in_one_folder_is_recognised(write_tree: WriteTree) -> None:
    write_tree(root="package/trainer-classification")
    folder = write_tree(
        dict.fromkeys(
            [
                "Dockerfile",
                "scripts/train.py",
                "src/trainer/__init__.py",
                "src/trainer/model.py",
                "pyproject.toml",
            ]
        )
    )
    assert check_folder(folder) == [
        "Everything lies in a folder 'trainer-classification/'; pack what is in the folder, not the folder."
    ]


def test_scripts_for_another_python_are_not_judged(write_tree: WriteTree) -> None:
    changes = {
        "scripts/train.py": "new syntax\n",
        "pyproject.toml": '[project]\nrequires-python = ">=3.99"\n',
    }
    assert check_folder(write_tree(changes)) == []


def test_a_hostile_package_gets_little_of_our_time(write_tree: WriteTree) -> None:
    changes = {
        "Dockerfile": "\n" * 1_000_000,
        "requirements.txt": " " * 1_000_000 + "x",
        "pyproject.toml": None,
    }
    assert check_folder(write_tree(dict(changes))) == [
        "Dockerfile: has no FROM line; name the image to start from."
    ]


def test_warnings_in_scripts_are_not_problems(write_tree: WriteTree) -> None:
    assert check_folder(write_tree({"scripts/train.py": "x = '\\d'\nassert (x, 'y')\n1 is 1\n"})) == []


def test_limits_name_the_largest_file(write_tree: WriteTree, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_tree({"src/weights.bin": "x" * 5000})
    monkeypatch.setattr(checks, "MAX_PACKAGE_BYTES", 4096)
    monkeypatch.setattr(checks, "MAX_PACKAGE_FILES", 3)
    size, count = sorted(check_folder(folder), key=lambda sentence: "files" in sentence.split(",")[0])
    assert "more than the 4.0 KB allowed; the largest file is 'src/weights.bin' (4.9 KB)." in size
    assert "has 6 files, more than the 3 allowed" in count
