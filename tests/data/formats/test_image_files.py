import os
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.data.formats.image_files import images_below, place_images, unique_names
from sightline.errors import SightlineError
from tests.data.factory import write_picture


def test_names_are_kept_where_they_differ():
    assert unique_names(pl.Series(["/a/1.png", "/b/2.png", "/a/ä b.JPG"])) == ["1.png", "2.png", "ä b.JPG"]


def test_two_files_of_one_name_in_different_folders_are_told_apart_by_folder():
    names = unique_names(pl.Series(["/x/left/1.png", "/x/right/1.png", "/x/right/2.png"]))
    assert names == ["left_1.png", "right_1.png", "2.png"]


def test_folders_of_one_name_are_told_apart_by_number_which_is_free():
    paths = ["/x/cam/1.png", "/y/cam/1.png", "/z/cam/1.png", "/cam_1_1.png"]
    assert unique_names(pl.Series(paths)) == ["cam_1.png", "cam_1_2.png", "cam_1_3.png", "cam_1_1.png"]


def test_names_that_differ_in_case_or_suffix_only_get_different_stems():
    stems = [
        Path(name).stem.lower() for name in unique_names(pl.Series(["/a/x.png", "/a/X.png", "/a/x.jpg"]))
    ]
    assert len(set(stems)) == 3


parts = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=4)


@given(st.lists(st.tuples(st.sampled_from(["", "/a", "/b/a"]), parts, st.sampled_from([".jpg", ".png"]))))
def test_names_are_unique_visible_single_lines(triples):
    names = unique_names(pl.Series([f"{a}/{b}{c}" for a, b, c in triples], dtype=pl.String))
    stems = [name.rpartition(".")[0] for name in names]
    assert len({stem.casefold() for stem in stems}) == len(triples)
    assert all(stem == stem.strip() and stem and stem[0] != "." for stem in stems)
    assert "\n".join(names).split("\n") == (names or [""])
    assert names == unique_names(pl.Series([f"{a}/{b}{c}" for a, b, c in triples], dtype=pl.String))


@pytest.mark.parametrize("how", ["copy", "symlink", "hardlink"])
def test_images_are_placed(tmp_path, how):
    sources = [str(write_picture(tmp_path / "from" / f"{n}.png", n)) for n in range(150)]
    targets = [tmp_path / "to" / str(n % 2) / f"{n}.png" for n in range(150)]
    place_images(sources, targets, how)
    for source, target in zip(sources, targets, strict=True):
        assert target.read_bytes() == Path(source).read_bytes()
        assert target.is_symlink() == (how == "symlink")
        assert target.samefile(source) == (how != "copy")


def test_links_lead_to_the_image_itself_and_not_to_another_link(tmp_path):
    image = write_picture(tmp_path / "real" / "1.png")
    (tmp_path / "folder").symlink_to(tmp_path / "real")
    (tmp_path / "link.png").symlink_to("folder/1.png")
    sources = [str(tmp_path / "link.png"), str(tmp_path / "folder" / "1.png")]
    place_images(sources, [tmp_path / "a.png", tmp_path / "b.png"], "symlink")
    assert {(tmp_path / name).readlink() for name in ("a.png", "b.png")} == {image}


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(SightlineError, match=r"gone\.png: cannot be stored as a copy \(No such file"):
        place_images([str(tmp_path / "gone.png")], [tmp_path / "to" / "1.png"], "copy")


def test_another_way_of_storing_is_refused(tmp_path):
    with pytest.raises(SightlineError, match="how='move' is not one of copy, symlink, hardlink"):
        place_images([], [], "move")  # pyright: ignore[reportArgumentType]


def test_images_below_a_folder_are_found_in_order_without_hidden_ones(tmp_path):
    for name in ("b.png", "a.JPG", ".hidden.png", "deep/c.png", ".cache/d.png"):
        write_picture(tmp_path / "all" / name)
    (tmp_path / "all" / "notes.txt").write_text("no image")
    (tmp_path / "all" / "folder.png").mkdir()
    write_picture(tmp_path / "all" / "folder.png" / "e.png")
    found = [os.path.relpath(path, tmp_path / "all") for path in images_below(tmp_path / "all")]
    assert found == ["a.JPG", "b.png", "deep/c.png", "folder.png/e.png"]


def test_a_name_that_is_not_utf_8_is_refused(tmp_path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")).write_bytes(b"")
    with pytest.raises(SightlineError, match="the name is not UTF-8; rename the file"):
        images_below(tmp_path)
