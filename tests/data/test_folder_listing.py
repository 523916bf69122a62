from pathlib import Path

import pytest

from sightline.data import folder_listing
from sightline.data.folder_listing import find_links


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("1.png", "2.png", "sub/3.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link.png").symlink_to(tmp_path / "1.png")
    (tmp_path / "dangling.png").symlink_to(tmp_path / "none.png")
    return tmp_path


@pytest.mark.parametrize("listed", [0, 1, 10])
def test_missing_files_and_links_are_found(
    folder: Path, monkeypatch: pytest.MonkeyPatch, listed: int
) -> None:
    monkeypatch.setattr(folder_listing, "_WORTH_A_LISTING", listed)
    names = ["1.png", "2.png", "1.png", "sub/3.png", "link.png", "dangling.png", "none.png", "none/1.png"]
    missing, links = find_links([f"{folder}/{name}" for name in names])
    assert missing == {f"{folder}/{name}" for name in ("dangling.png", "none.png", "none/1.png")}
    assert links == {f"{folder}/link.png"}


def test_paths_are_given_back_as_they_came(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    paths = ["1.png", "none.png", "link.png", "sub/4.png", "/none.png", "\0.png"]
    assert find_links(paths) == ({"none.png", "sub/4.png", "/none.png", "\0.png"}, {"link.png"})
