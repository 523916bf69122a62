from pathlib import Path

import pytest

from sightline.errors import SightlineError
from sightline.trainer_package import read_requirements, read_requires_python


def test_pyproject_counts_before_the_list(tmp_path: Path) -> None:
    assert read_requirements(tmp_path) == []
    assert read_requires_python(tmp_path) is None
    (tmp_path / "requirements.txt").write_text("polars\n")
    assert [str(found) for found in read_requirements(tmp_path)] == ["polars"]
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\n")
    assert [str(found) for found in read_requirements(tmp_path)] == ["polars"]
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nrequires-python = ">=3.11"\n'
        'dependencies = ["numpy>=2", "torch[opt]; python_version > \'3\'"]\n'
    )
    assert [found.name for found in read_requirements(tmp_path)] == ["numpy", "torch"]
    assert str(read_requires_python(tmp_path)) == ">=3.11"


def test_files_that_name_one_another_cost_no_time(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("-r 0.txt\n-r 0.txt\n")
    for number in range(18):
        (tmp_path / f"{number}.txt").write_text(f"-r {number + 1}.txt\n-r {number + 1}.txt\n")
    (tmp_path / "18.txt").write_text("numpy\n")
    assert [str(found) for found in read_requirements(tmp_path)] == ["numpy"]
    for number in range(18, 3000):
        (tmp_path / f"{number}.txt").write_text(f"-r {number + 1}.txt\n")
    with pytest.raises(SightlineError, match=r"leads through more than 20 files"):
        read_requirements(tmp_path)


def test_a_list_with_everything(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "base.txt").write_text("-r ../extra.txt\nrich\n")
    (tmp_path / "extra.txt").write_text("typer")
    (tmp_path / "requirements.txt").write_bytes(
        "\ufeff# what we need\n"
        "numpy >= 2  # arrays\n\n"
        "polars==1.0 \\\n    --hash=sha256:abc \\\n    --hash=sha256:def\n"
        "-e .\n.\n"
        "-r more/base.txt\n"
        "thing @ https://example.org/thing-1.0.tar.gz#sha256=1\n".encode()
    )
    found = read_requirements(tmp_path)
    assert [requirement.name for requirement in found] == ["numpy", "polars", "typer", "rich", "thing"]
    assert str(found[1].specifier) == "==1.0"
    assert found[4].url == "https://example.org/thing-1.0.tar.gz#sha256=1"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("numpy\nnot a requirement\n", "requirements.txt line 2: 'not a requirement' is not a requirement: "),
        ("numpy \\\n  ==\n", "requirements.txt line 1: 'numpy    ==' is not a requirement"),
        (
            "--extra-index-url https://example.org\n",
            "line 1: '--extra-index-url' is not for a package to set",
        ),
        ("-r missing.txt", "requirements.txt: names 'missing.txt' with -r, which is not in the package."),
        ("-r ../other.txt", "requirements.txt line 1: '../other.txt' is outside the package"),
        ("-r requirements.txt", "requirements.txt line 1: 'requirements.txt' leads back to itself"),
        ("-e ../lib", "line 1: '-e' is not for a package to set"),
        ("git+https://example.org/a.git", "line 1: 'git+https://example.org/a.git' is not a requirement"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "requirements.txt").write_text(content)
    with pytest.raises(SightlineError) as caught:
        read_requirements(tmp_path)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[project\n", "pyproject.toml: is not valid TOML: "),
        ("project = 3\n", "pyproject.toml: 'project' must be a table"),
        ("[project]\ndependencies = 'numpy'\n", "[project].dependencies must be a list"),
        ("[project]\ndependencies = [3]\n", "pyproject.toml: 3 in [project].dependencies needs quotes."),
        ("[project]\ndynamic = ['dependencies']\n", "the dependencies are dynamic"),
        ("[tool.poetry.dependencies]\nnumpy = '*'\n", "only [tool.poetry] names dependencies"),
        ("[project]\nrequires-python = 3\n", "requires-python = 3 is not a version range"),
    ],
)
def test_a_project_file_that_cannot_be_read_is_named(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "pyproject.toml").write_text(content)
    read = read_requires_python if "requires" in content else read_requirements
    with pytest.raises(SightlineError) as caught:
        read(tmp_path)
    assert sentence in str(caught.value)


def test_bytes_that_are_no_text_are_a_sentence(tmp_path: Path) -> None:
    for name in ("requirements.txt", "pyproject.toml"):
        (tmp_path / name).write_bytes(b"\xff\xfe")
        with pytest.raises(SightlineError, match=f"{name}: is not text in UTF-8"):
            read_requirements(tmp_path)
