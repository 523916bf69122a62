import hashlib
import os
import time
from pathlib import Path

import pytest

from sightline.service.domain.refusals import ConflictError, RefusedError, TooLargeError
from sightline.service.store.objects import LocalObjects


@pytest.fixture
def objects(tmp_path: Path) -> LocalObjects:
    return LocalObjects(tmp_path)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def put(objects: LocalObjects, upload: str, content: bytes, offset: int = 0) -> None:
    with objects.appending(upload, offset) as file:
        file.write(content)


def test_bytes_arrive_in_pieces_and_become_an_object(objects: LocalObjects) -> None:
    put(objects, "u1", b"hello ")
    assert objects.uploaded("u1") == 6
    put(objects, "u1", b"world", offset=6)
    sha256 = digest(b"hello world")
    objects.keep(objects.verify("u1", sha256))
    assert objects.path(sha256).read_bytes() == b"hello world"
    assert objects.uploaded("u1") == 0


def test_a_wrong_hash_never_becomes_an_object(objects: LocalObjects) -> None:
    put(objects, "u1", b"damaged")
    with pytest.raises(RefusedError, match="send the file again"):
        objects.verify("u1", digest(b"whole"))
    assert objects.uploaded("u1") == 0
    assert not objects.path(digest(b"whole")).exists()


def test_a_wrong_offset_is_refused_with_the_right_one(objects: LocalObjects) -> None:
    put(objects, "u1", b"12345")
    for offset in (0, 4, 6):
        with pytest.raises(ConflictError, match="go on from 5"), objects.appending("u1", offset):
            raise AssertionError
    assert objects.uploaded("u1") == 5


def test_only_one_call_writes_to_an_upload(objects: LocalObjects) -> None:
    with (
        objects.appending("u1", 0),
        pytest.raises(ConflictError, match="Another call"),
        objects.appending("u1", 0),
    ):
        raise AssertionError


def test_what_arrived_before_a_break_stays(objects: LocalObjects) -> None:
    def break_off() -> None:
        with objects.appending("u1", 0) as file:
            file.write(b"half")
            raise ConnectionError

    with pytest.raises(ConnectionError):
        break_off()
    assert objects.uploaded("u1") == 4


def test_the_same_content_twice_is_one_object(objects: LocalObjects) -> None:
    for upload in ("u1", "u2"):
        put(objects, upload, b"same")
        objects.keep(objects.hashed(upload))
    assert objects.path(digest(b"same")).read_bytes() == b"same"


def test_an_upload_that_is_gone_is_a_conflict(objects: LocalObjects) -> None:
    with pytest.raises(ConflictError, match="completed by another call"):
        objects.hashed("u1")


def test_an_object_cannot_be_written_to(objects: LocalObjects) -> None:
    put(objects, "u1", b"fixed")
    objects.keep(objects.hashed("u1"))
    assert objects.path(digest(b"fixed")).stat().st_mode & 0o777 == 0o400


def test_more_than_the_disk_holds_is_refused(objects: LocalObjects) -> None:
    objects.check_room(1)
    with pytest.raises(TooLargeError, match="of disk left"):
        objects.check_room(1 << 60)


def test_orphans_are_removed_once_they_are_old(objects: LocalObjects) -> None:
    contents = {name: name.encode() for name in ("held", "orphan", "young")}
    for name, content in contents.items():
        put(objects, name, content)
        objects.keep(objects.hashed(name))
    put(objects, "broken", b"half")
    old = time.time() - 100
    for path in (objects.path(digest(b"held")), objects.path(digest(b"orphan")), objects._upload("broken")):
        os.utime(path, (old, old))
    assert objects.delete_orphans({digest(b"held")}, set(), min_age_s=50) == 2
    assert objects.path(digest(b"held")).exists()
    assert objects.path(digest(b"young")).exists()
    assert not objects.path(digest(b"orphan")).exists()
    assert objects.uploaded("broken") == 0
