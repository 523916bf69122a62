import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sightline.trainer_package.collect import collect
from sightline.trainer_package.gitignore import parse_pattern
from tests.needs import needs

PARTS = st.sampled_from(["a", "b", "ab", "c.txt", "d.md", "a b", "[x]", "#c", "!d"])
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
# Not "a**": git reads its stars as whole parts once it has cut the "a" off, against its own manual.
GLOBS = [
    "*",
    "**",
    "***",
    "*.txt",
    "a*",
    "?",
    "[ab]",
    "[!a]*",
    "[^b]?",
    "[a-c].*",
    "[[:alpha:]]",
    "\\[x]",
]
PATTERNS = st.builds(
    lambda negated, anchored, parts, folder, end: negated + anchored + "/".join(parts) + folder + end,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "", "/"]),
    st.lists(PARTS | st.sampled_from(GLOBS), min_size=1, max_size=4),
    st.sampled_from(["", "", "/"]),
    st.sampled_from(["", "", " ", "  ", "\r"]),
)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs("git")
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", folder], check=True)
    return folder


@settings(max_examples=100, deadline=None)
@given(paths=st.sets(PATHS, min_size=1, max_size=12), patterns=st.lists(PATTERNS, min_size=1, max_size=5))
@example(paths={"b/a/a"}, patterns=["a/", "a/a", "!b"])
@example(paths={"a/b", "a/c.txt", "b/a"}, patterns=["*", "!a/", "!a/*"])
def test_patterns_mean_what_they_mean_to_git(repository: Path, paths: set[str], patterns: list[str]) -> None:
    for old in sorted(repository.rglob("*"), reverse=True):
        if ".git" not in old.parts:
            old.unlink() if old.is_file() else old.rmdir()
    # A path cannot be a file and a folder at once.
    for name in (path for path in paths if not any(other.startswith(path + "/") for other in paths)):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text("")
    for file in (".gitignore", ".sightlineignore"):
        (repository / file).write_bytes(("\n".join(patterns) + "\n").encode())
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--others", "--exclude-standard"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    own = {".gitignore", ".sightlineignore"}
    assert {file.name for file in collect(repository).files} - own == {name for name in listed if name} - own


@pytest.mark.parametrize("line", ["", "   ", "# comment", "\r"])
def test_lines_without_a_pattern(line: str) -> None:
    assert parse_pattern(line) is None


@pytest.mark.parametrize(
    ("line", "path", "is_folder", "matches"),
    [
        ("tests", "src/tests", False, True),
        ("tests/", "src/tests", False, False),
        ("tests/", "src/tests", True, True),
        ("/tests", "src/tests", True, False),
        ("a/*.py", "a/b/c.py", False, False),
        ("a/**/c.py", "a/c.py", False, True),
        ("\\#a", "#a", False, True),
        ("\\!a", "!a", False, True),
        ("a\\ ", "a ", False, True),
        ("[z-a]", "b", False, False),
        ("[]a]", "]", False, True),
        ("a[/]b", "a/b", False, False),
        ("*.py[cod]", "x.pyc", False, True),
    ],
)
def test_matches(line: str, path: str, is_folder: bool, matches: bool) -> None:
    pattern = parse_pattern(line)
    assert pattern is not None
    assert pattern.matches(path, is_folder=is_folder) is matches


@given(st.text(st.sampled_from("ab/*?[]!^-\\: .#"), max_size=12), PATHS)
def test_any_line_is_a_pattern_or_an_error(line: str, path: str) -> None:
    try:
        pattern = parse_pattern(line)
    except ValueError:
        return
    if pattern is not None:
        pattern.matches(path, is_folder=False)
