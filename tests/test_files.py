import hashlib
import stat
from pathlib import Path

import pytest

from sightline.files import readable_size, sha256_file, temporary_folder, written_whole


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 3_000_000)
    assert sha256_file(path) == hashlib.sha256(b"x" * 3_000_000).hexdigest()


def test_written_whole_replaces_only_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.txt"
    with written_whole(path) as temporary:
        temporary.write_text("one")
        assert not path.exists()

    def fail(temporary: Path) -> None:
        temporary.write_text("two")
        raise KeyError

    with pytest.raises(KeyError), written_whole(path) as temporary:
        fail(temporary)
    assert path.read_text() == "one"
    assert [path.name for path in path.parent.iterdir()] == ["a.txt"]


def test_a_secret_file_is_private_from_its_first_byte(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with written_whole(path, mode=0o600) as temporary:
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KB"), (5 << 20, "5.0 MB"), (3 << 50, "3072.0 TB")],
)
def test_readable_size(size: int, text: str) -> None:
    assert readable_size(size) == text


def test_a_temporary_folder_goes_also_when_a_signal_comes_as_soon_as_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with temporary_folder("work-", tmp_path) as folder:
        assert folder.parent == tmp_path
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "a").write_bytes(b"a")
    make = Path.mkdir

    def interrupted(self: Path, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        make(self, mode, parents, exist_ok)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "mkdir", interrupted)
    with pytest.raises(KeyboardInterrupt), temporary_folder("work-", tmp_path):
        pass
    assert not list(tmp_path.iterdir())
