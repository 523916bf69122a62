import os
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.errors import SightlineError
from sightline.files import sha256_file
from sightline.trainer_package import (
    check_folder,
    check_zip,
    create_zip,
    extract_package,
    inspect_folder,
    list_names,
    read_zip,
)
from sightline.trainer_package import package as package_module
from tests.trainer_package.conftest import WriteTree


def test_a_package_is_made_checked_listed_and_unpacked(write_tree: WriteTree, tmp_path: Path) -> None:
    folder = write_tree()
    summary = create_zip(folder, tmp_path / "trainer.zip")
    assert summary.sha256 == sha256_file(tmp_path / "trainer.zip")
    assert summary.size_bytes == (tmp_path / "trainer.zip").stat().st_size
    check_zip(summary.path)
    assert read_zip(summary.path) == summary.files
    assert list_names(summary.path) == [file.name for file in summary.files]
    extract_package(summary.path, tmp_path / "out")
    for file in summary.files:
        assert (tmp_path / "out" / file.name).read_bytes() == (folder / file.name).read_bytes()
    assert create_zip(tmp_path / "out", tmp_path / "again.zip").sha256 == summary.sha256


def test_the_zip_never_packs_itself(write_tree: WriteTree) -> None:
    folder = write_tree({".sightlineignore": ""})
    hashes = {create_zip(folder, folder / "scripts" / "p.zip").sha256 for _ in range(3)}
    assert len(hashes) == 1
    left = [str(left) for left in create_zip(folder, folder / "scripts" / "p.zip").left_out]
    assert left == ["scripts/: p.zip (the zip or the profiles file itself)"]


NAMES = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters='/\\:.~"'), min_size=1, max_size=8
).filter(lambda name: name.strip() == name)
TREES = st.dictionaries(NAMES, st.tuples(st.binary(max_size=300), st.booleans()), max_size=5)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(tree=TREES, data=st.data())
def test_the_same_tree_gives_the_same_bytes(
    tmp_path: Path, tree: dict[str, tuple[bytes, bool]], data: st.DataObject
) -> None:
    files = {
        "Dockerfile": (b"FROM scratch\n", False),
        "scripts/train.py": (b"", True),
        **{f"src/{name}": content for name, content in tree.items()},
    }
    archives = []
    for place in ("one", "other/deeper"):
        root = tmp_path / place
        shutil.rmtree(root, ignore_errors=True)
        previous = os.umask(data.draw(st.sampled_from([0o000, 0o022, 0o077])))
        try:
            for name in data.draw(st.permutations(sorted(files))):
                content, executable = files[name]
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                path.chmod(path.stat().st_mode | (stat.S_IXUSR if executable else 0))
                time = data.draw(st.integers(0, 2**32))
                os.utime(path, (time, time))
            create_zip(root, root / "trainer.zip")
        finally:
            os.umask(previous)
        archives.append((root / "trainer.zip").read_bytes())
        check_zip(root / "trainer.zip")
        assert {file.name for file in read_zip(root / "trainer.zip")} <= set(files)
    assert archives[0] == archives[1]


def test_a_change_of_one_byte_or_of_a_name_changes_the_hash(write_tree: WriteTree, tmp_path: Path) -> None:
    hashes = set()
    for number, change in enumerate(
        [
            {},
            {"scripts/train.py": "print('hellO')\n"},
            {"scripts/train.py": None, "scripts/t.py": "print('hello')\n"},
        ]
    ):
        hashes.add(create_zip(write_tree(change, root=f"p{number}"), tmp_path / "t.zip").sha256)
    assert len(hashes) == 3


def test_links_within_the_package_are_packed_as_their_content(write_tree: WriteTree, tmp_path: Path) -> None:
    folder = write_tree()
    (folder / "scripts" / "again.py").symlink_to("train.py")
    create_zip(folder, tmp_path / "t.zip")
    with zipfile.ZipFile(tmp_path / "t.zip") as archive:
        assert archive.read("scripts/again.py") == archive.read("scripts/train.py")


def test_every_thing_that_cannot_be_packed_has_its_sentence(write_tree: WriteTree, tmp_path: Path) -> None:
    folder = write_tree({"src/data/a.py": ""})
    (tmp_path / "outside").write_text("x")
    for name, target in {
        "out": tmp_path / "outside",
        "nowhere": "missing",
        "loop": "loop",
        "folder": "src",
        "passwd": "/etc/passwd",
    }.items():
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe")
    (folder / "a\\b").write_text("")
    (folder / "a\nb").write_text("")
    (folder / "c:d").write_text("")
    Path(os.fsdecode(bytes(folder) + b"/\xff")).write_text("")
    problems = check_folder(folder)
    for words in (
        "out: is a link out of the package; copy what it points to into the folder.",
        "passwd: is a link out of the package",
        "nowhere: is a link that leads nowhere",
        "loop: is a link that leads nowhere",
        "folder: is a link to a folder; replace it with the folder itself.",
        "pipe: is not a plain file",
        "'a\\\\b': the name holds a character that a package cannot",
        "'a\\nb': the name holds",
        "'c:d': the name holds",
        "'\\udcff': the name is not valid UTF-8",
    ):
        assert any(words in problem for problem in problems), words
    assert len(problems) == 10
    assert all("\n" not in problem for problem in problems)
    output = tmp_path / "t.zip"
    output.write_text("the old one")
    with pytest.raises(SightlineError) as caught:
        create_zip(folder, output)
    assert str(caught.value).splitlines() == problems
    assert output.read_text() == "the old one"
    (folder / ".sightlineignore").write_text("/*\n!/Dockerfile\n!/scripts/\n")
    assert check_folder(folder) == []


def test_a_link_does_not_carry_a_secret_out(write_tree: WriteTree) -> None:
    folder = write_tree({".env": "KEY=1", ".aws/config": "x", ".sightlineignore": ""})
    (folder / "scripts" / "settings").symlink_to("../.env")
    (folder / "scripts" / "aws").symlink_to("../.aws/config")
    inspected = inspect_folder(folder)
    assert {"scripts/settings", "scripts/aws"}.isdisjoint(inspected.names)
    assert "scripts/: settings (a link to .env: may hold a secret)" in map(str, inspected.left_out)


@contextmanager
def somebody_else() -> Iterator[None]:
    """Root may read everything, so root becomes nobody meanwhile."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_an_unreadable_file_is_a_sentence(write_tree: WriteTree) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "package"
        shutil.copytree(write_tree(), folder)
        Path(name).chmod(0o755)
        assert check_folder(folder) == []
        (folder / "scripts" / "train.py").chmod(0)
        with somebody_else():
            problems = check_folder(folder)
    assert any("train.py: cannot be read" in problem for problem in problems)


def test_a_folder_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert check_folder(tmp_path / "nope") == [
        f"{tmp_path}/nope: does not exist; give the folder that holds Dockerfile and scripts/."
    ]
    assert "is a file, not a folder" in check_folder(tmp_path / "file")[0]


def test_a_zip_made_elsewhere_is_checked_as_a_folder_is(tmp_path: Path) -> None:
    path = tmp_path / "theirs.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("scripts/", "")
        archive.writestr("scripts/train.py", "def\n")
        archive.writestr("requirements.txt", "numpy ==\n")
    with pytest.raises(SightlineError) as caught:
        check_zip(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"{path}: ") for line in lines)
    for line, words in zip(
        lines, ("Dockerfile is missing", "requirements.txt line 1", "train.py line 1"), strict=True
    ):
        assert words in line


def test_checking_a_zip_runs_nothing_of_it(write_tree: WriteTree, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    summary = create_zip(write_tree({"scripts/train.py": f"open({str(mark)!r}, 'w')\n"}), tmp_path / "t.zip")
    check_zip(summary.path)
    assert not mark.exists()


def test_unpacking_is_all_or_nothing(
    write_tree: WriteTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = create_zip(write_tree({"src/large": "x" * 10_000}), tmp_path / "t.zip")
    monkeypatch.setattr(package_module, "MAX_PACKAGE_BYTES", 5_000)
    with pytest.raises(SightlineError, match="more than the"):
        extract_package(summary.path, tmp_path / "jobs" / "code")
    assert list((tmp_path / "jobs").iterdir()) == []
    monkeypatch.undo()
    (tmp_path / "jobs" / "code").mkdir()
    extract_package(summary.path, tmp_path / "jobs" / "code")
    assert (tmp_path / "jobs" / "code" / "Dockerfile").is_file()
    with pytest.raises(SightlineError, match="is not empty"):
        extract_package(summary.path, tmp_path / "jobs" / "code")


def test_importing_is_light() -> None:
    heavy = "{'polars', 'torch', 'pydantic', 'numpy'}"
    code = f"import sys, sightline.trainer_package; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
