import pytest

from sightline.client.wire import OFFSET_HEADER
from tests.service.world import HIDDEN, World, announcement, dataset_archive, make_zip, upload

ARCHIVE = dataset_archive(b"x" * 1000)


@pytest.fixture
def dataset(world: World) -> str:
    world.owner.ok("POST", "/datasets", json={"name": "digits"})
    return "/datasets/digits/uploads"


def at(offset: int) -> dict[str, str]:
    return {OFFSET_HEADER: str(offset)}


def test_an_archive_arrives_in_pieces(world: World, dataset: str) -> None:
    answer = world.owner.post(dataset, announcement(ARCHIVE))
    made = answer.json()
    assert (answer.status_code, made["offset"], made["size_bytes"]) == (201, 0, len(ARCHIVE))
    path = f"{dataset}/{made['id']}"
    assert world.owner.ok("PATCH", path, content=ARCHIVE[:400], headers=at(0))["offset"] == 400
    again = world.owner.post(dataset, announcement(ARCHIVE))
    assert (again.status_code, again.json()) == (200, made | {"offset": 400})
    assert world.owner.error(409, "POST", f"{path}/complete") == (
        f"400 of {len(ARCHIVE)} bytes have arrived; send the rest first."
    )
    assert world.owner.error(409, "PATCH", path, content=b"x", headers=at(0)) == (
        "The upload is at offset 400, not 0; go on from 400."
    )
    world.owner.ok("PATCH", path, content=ARCHIVE[400:], headers=at(400))
    published = world.owner.ok("POST", f"{path}/complete")
    assert published["dataset_variants"][0]["sha256"] == announcement(ARCHIVE)["sha256"]
    assert world.owner.ok("POST", f"{path}/complete") == published  # the first answer may have been lost
    assert world.owner.ok("POST", dataset, json=announcement(ARCHIVE))["offset"] == len(ARCHIVE)
    assert "is complete" in world.owner.error(409, "PATCH", path, content=b"x", headers=at(len(ARCHIVE)))


def test_more_than_was_announced_is_refused_and_leaves_the_upload_as_it_was(
    world: World, dataset: str
) -> None:
    path = f"{dataset}/{world.owner.ok('POST', dataset, json=announcement(ARCHIVE))['id']}"
    world.owner.ok("PATCH", path, content=ARCHIVE[:100], headers=at(0))
    assert "larger than" in world.owner.error(413, "PATCH", path, content=ARCHIVE, headers=at(100))

    async def unannounced():
        for _ in range(3):
            yield ARCHIVE

    assert "larger than" in world.owner.error(413, "PATCH", path, content=unannounced(), headers=at(100))
    assert world.owner.ok("GET", path)["offset"] == 100


def test_damaged_bytes_are_discarded(world: World, dataset: str) -> None:
    path = f"{dataset}/{world.owner.ok('POST', dataset, json=announcement(ARCHIVE))['id']}"
    world.owner.ok("PATCH", path, content=b"\0" * len(ARCHIVE), headers=at(0))
    assert "send the file again" in world.owner.error(422, "POST", f"{path}/complete")
    assert world.owner.ok("GET", path)["offset"] == 0


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        (None, "The archive cannot be read as a zip file"),
        ({"annotations.jsonl": ""}, "The archive has no 'dataset_info.json' at its top"),
        ({"dataset_info.json": "{}"}, "The archive has no 'annotations.parquet' or 'annotations.jsonl'"),
        (
            {"dataset_info.json": "[]", "annotations.jsonl": ""},
            "The archive's 'dataset_info.json' is not a JSON",
        ),
        (
            {"dataset_info.json": "{}", "annotations.parquet": "?"},
            "The archive's 'annotations.parquet' cannot",
        ),
        (
            {"dataset_info.json": "{}", "annotations.jsonl": "", "../evil": ""},
            "The archive member '../evil' points outside",
        ),
    ],
)
def test_what_is_no_dataset_is_refused(
    world: World, dataset: str, members: dict | None, sentence: str
) -> None:
    archive = make_zip(members) if members is not None else b"not a zip"
    path = f"{dataset}/{world.owner.ok('POST', dataset, json=announcement(archive))['id']}"
    world.owner.ok("PATCH", path, content=archive, headers=at(0))
    found = world.owner.error(422, "POST", f"{path}/complete")
    assert found.startswith(sentence)
    assert str(world.folder) not in found
    assert world.owner.ok("GET", "/datasets/digits")["dataset_variants"] == []


def test_a_version_never_changes(world: World, dataset: str) -> None:
    upload(world.owner, "digits", "sample", ARCHIVE)
    sentence = world.owner.error(409, "POST", dataset, json=announcement(dataset_archive(b"other")))
    assert "a version never changes; publish a higher version." in sentence


def test_only_the_owner_uploads_and_only_to_their_own_upload(world: World, dataset: str) -> None:
    made = world.owner.ok("POST", dataset, json=announcement(ARCHIVE))
    stranger = world.person("oscar", "owner")
    for method, path in (("POST", dataset), ("GET", f"{dataset}/{made['id']}")):
        sentence = stranger.error(403, method, path, json=announcement(ARCHIVE))
        assert sentence == "Only the owner of 'digits' uploads to it."
    assert "no upload" in world.admin.error(404, "GET", f"{dataset}/{made['id']}")


def test_knowing_a_hash_is_not_having_the_bytes(world: World) -> None:
    """Announcing the hidden archive of somebody else as one's own sample must not give it away."""
    world.publish()
    thief = world.person("oscar", "owner")
    thief.ok("POST", "/datasets", json={"name": "loot"})
    made = thief.ok(
        "POST", "/datasets/loot/uploads", json=announcement(dataset_archive(HIDDEN + b"digits", count=5))
    )
    assert made["offset"] == 0
    assert "0 of" in thief.error(409, "POST", f"/datasets/loot/uploads/{made['id']}/complete")
    assert thief.error(422, "GET", "/datasets/loot/sample")


def test_limits_and_odd_values(world: World, make_world) -> None:
    small = make_world(max_archive_bytes=100)
    small.owner.ok("POST", "/datasets", json={"name": "digits"})
    assert "more than the 100 B allowed" in small.owner.error(
        413, "POST", "/datasets/digits/uploads", json=announcement(ARCHIVE)
    )
    huge = announcement(ARCHIVE) | {"size_bytes": 1 << 39}
    small = make_world()
    small.owner.ok("POST", "/datasets", json={"name": "digits"})
    assert "of disk left" in small.owner.error(413, "POST", "/datasets/digits/uploads", json=huge)
    for field, value in (("version", "1"), ("sha256", "x"), ("size_bytes", 0), ("variant", "secret")):
        request = announcement(ARCHIVE) | {field: value}
        sentence = small.owner.error(422, "POST", "/datasets/digits/uploads", json=request)
        assert sentence.startswith(f"Field '{field}'")


def test_annotations_in_parquet_are_counted(world: World, dataset: str, tmp_path) -> None:
    import polars as pl

    file = tmp_path / "annotations.parquet"
    pl.DataFrame({"sample_index": range(17)}).write_parquet(file)
    members = {"dataset_info.json": "{}", "annotations.parquet": file.read_bytes(), "annotations.jsonl": "{}"}
    out = upload(world.owner, "digits", "sample", make_zip(members))
    assert out["dataset_variants"][0]["number_of_data_items"] == 17
