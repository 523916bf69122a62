import contextlib
import io
import os
import shutil
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sightline.archives import extract_zip, list_zip, write_zip
from sightline.errors import SightlineError

LIMITS = {"max_bytes": 1 << 20, "max_files": 100}


def zip_of(path: Path, *members: tuple[str, bytes], mode: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, content)
    return path


def test_round_trip_keeps_bytes_and_the_executable_bit(tmp_path: Path) -> None:
    plain, tool = tmp_path / "plain", tmp_path / "tool"
    plain.write_bytes(b"1")
    tool.write_bytes(b"#!/bin/sh\n")
    tool.chmod(0o755)
    write_zip(tmp_path / "a.zip", [("b/tool", tool), ("a/plain", plain)])
    files = extract_zip(tmp_path / "a.zip", tmp_path / "out", **LIMITS)
    assert [file.relative_to(tmp_path / "out").as_posix() for file in files] == ["a/plain", "b/tool"]
    assert (tmp_path / "out/a/plain").read_bytes() == b"1"
    assert os.access(tmp_path / "out/b/tool", os.X_OK)
    assert not os.access(tmp_path / "out/a/plain", os.X_OK)


def test_same_names_and_bytes_give_the_same_archive(tmp_path: Path) -> None:
    def made(folder: str, order: int, mode: int, time: int) -> bytes:
        root = tmp_path / folder
        root.mkdir()
        members = []
        for name in ("x", "y", "z")[::order]:
            (root / name).write_text(name * 1000)
            (root / name).chmod(mode)
            os.utime(root / name, (time, time))
            members.append((name, root / name))
        write_zip(root / "out.zip", members)
        return (root / "out.zip").read_bytes()

    assert made("one", 1, 0o644, 1_000_000_000) == made("two", -1, 0o600, 1_700_000_000)


def test_on_member_adds_up_to_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    sizes: list[int] = []
    write_zip(tmp_path / "a.zip", [("a", tmp_path / "a"), ("b", tmp_path / "a")], on_member=sizes.append)
    assert sizes == [5, 5]


@pytest.mark.parametrize(
    "name",
    [
        "../a",
        "a/../../b",
        "/etc/passwd",
        "C:/a",
        "a\\b",
        "./a",
        "a//b",
        "a/./b",
        "..",
        "a/..",
        "a\nb",
        "a\x1b[31m",
        "a/" * 600 + "b",
    ],
)
def test_names_that_could_leave_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    path = zip_of(tmp_path / "a.zip", (name, b"x"))
    with pytest.raises(SightlineError, match="member"):
        list_zip(path)
    with pytest.raises(SightlineError):
        extract_zip(path, tmp_path / "out", **LIMITS)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.parametrize(
    ("kind", "words"),
    [(stat.S_IFLNK, "symbolic link"), (stat.S_IFIFO, "plain file"), (stat.S_IFCHR, "plain file")],
)
def test_links_and_devices_are_refused(tmp_path: Path, kind: int, words: str) -> None:
    path = zip_of(tmp_path / "a.zip", ("scripts/train.py", b"/etc/passwd"), mode=kind | 0o777)
    with pytest.raises(SightlineError, match=words):
        list_zip(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match="'a' twice"):
        list_zip(zip_of(tmp_path / "a.zip", ("a", b"1"), ("a", b"2")))


def test_a_file_that_is_also_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match="'a/b' lies"):
        list_zip(zip_of(tmp_path / "a.zip", ("a", b"1"), ("a/b", b"2")))


def test_a_bomb_stops_at_the_limit_whatever_its_directory_claims(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "bomb.zip", ("zeros", bytes(50 << 20)))
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\1\2")
    struct.pack_into("<L", data, at + 24, 10)  # the directory now claims 10 bytes
    (tmp_path / "liar.zip").write_bytes(data)
    for name in ("bomb.zip", "liar.zip"):
        out = tmp_path / f"out-{name}"
        with pytest.raises(SightlineError, match=r"more than the 1\.0 MB allowed|cannot be unpacked"):
            extract_zip(tmp_path / name, out, **LIMITS)
        assert sum(file.stat().st_size for file in out.rglob("*")) <= 1 << 20


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", *((f"f{number}", b"") for number in range(101)))
    assert len(list_zip(path)) == 101
    with pytest.raises(SightlineError, match="101 files, more than the 100"):
        extract_zip(path, tmp_path / "out", **LIMITS)


@pytest.mark.parametrize(("zip64", "comment"), [(False, b""), (False, b"made by hand"), (True, b"by hand")])
def test_a_huge_directory_is_refused_before_it_is_read(tmp_path: Path, zip64: bool, comment: bytes) -> None:
    path = tmp_path / "a.zip"
    entries = 10_000 if not zip64 else 70_000
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(entries):
            archive.writestr(f"{number}", b"")
        archive.comment = comment
    with pytest.raises(SightlineError, match="lists more than the 10 files allowed"):
        list_zip(path, max_files=10)
    assert len(list_zip(path, max_files=entries)) == entries


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\5\6", b"PK\5\6" + b"\xff" * 18])
def test_what_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(SightlineError, match=r"a\.zip: cannot be read as a zip file"):
        list_zip(path)
    with pytest.raises(SightlineError):
        list_zip(path, max_files=5)
    with pytest.raises(SightlineError, match="cannot be read"):
        list_zip(tmp_path / "missing.zip")


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    data = bytearray(zip_of(tmp_path / "a.zip", ("a", b"1")).read_bytes())
    data[6] |= 1
    data[data.rindex(b"PK\1\2") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(SightlineError, match="encrypted"):
        list_zip(tmp_path / "a.zip")


def _small_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Dockerfile", "FROM scratch\n" * 20)
        archive.writestr("scripts/train.py", "print('hello')\n" * 20)
        archive.writestr("scripts/", "")
    return buffer.getvalue()


SMALL_ZIP = _small_zip()


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    flips=st.lists(
        st.tuples(st.integers(0, len(SMALL_ZIP) - 1), st.integers(0, 255)), min_size=1, max_size=4
    ),
    cut=st.none() | st.integers(0, len(SMALL_ZIP)),
)
@example(flips=[(SMALL_ZIP.rindex(b"scripts/"), 0)], cut=None)  # a name cut off at its first character
def test_a_damaged_zip_unpacks_inside_or_gives_a_sentence(
    tmp_path: Path, flips: list[tuple[int, int]], cut: int | None
) -> None:
    data = bytearray(SMALL_ZIP)
    for at, value in flips:
        data[at] = value
    room = tmp_path / "room"
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir()
    (room / "a.zip").write_bytes(data[:cut])
    with contextlib.suppress(SightlineError):
        extract_zip(room / "a.zip", room / "out", **LIMITS)
    assert {path.name for path in room.iterdir()} <= {"a.zip", "out"}
