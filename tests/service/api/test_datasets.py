import pytest

from tests.service.world import World, announcement, dataset_archive, upload


def test_a_dataset_shows_its_variants_and_the_samples_classes(world: World) -> None:
    world.publish(release="auto")
    shown = world.developer.ok("GET", "/datasets/digits")
    assert shown["owner"] == "olga"
    assert shown["version"] == "1.0.0"
    assert shown["policy"]["release"] == "auto"
    assert shown["info"]["tasks"][0]["class_names"] == ["0", "1"]
    assert [(v["variant_type"], v["number_of_data_items"]) for v in shown["dataset_variants"]] == [
        ("sample", 2),
        ("hidden", 5),
    ]
    assert world.developer.ok("GET", f"/datasets/{shown['id']}") == shown


def test_only_owners_and_admins_publish(world: World) -> None:
    assert world.developer.error(403, "POST", "/datasets", json={"name": "x"}) == (
        "Only a data owner creates datasets; ask an admin for that role."
    )
    assert world.admin.ok("POST", "/datasets", json={"name": "x"})["title"] == "x"
    assert "already" in world.owner.error(409, "POST", "/datasets", json={"name": "x"})


def test_listing_searches_orders_and_pages(world: World) -> None:
    for name, title in (("digits", "Handwriting"), ("cifar", "Small pictures"), ("kelp_1", "100%")):
        world.clock.advance(1)
        world.owner.ok("POST", "/datasets", json={"name": name, "title": title})

    def names(query: str) -> list[str]:
        return [row["name"] for row in world.developer.ok("GET", f"/datasets?{query}")["data"]]

    assert names("") == ["cifar", "digits", "kelp_1"]
    assert names("ordering=-created_at") == ["kelp_1", "cifar", "digits"]
    assert names("search=WRITING") == ["digits"]
    assert names("search=%25") == ["kelp_1"]  # a percent sign, not "anything"
    assert names("name__iexact=Digits") == ["digits"]
    assert names("page=2&page_size=2") == ["kelp_1"]
    assert names("visibility=private") == []
    assert all(
        "info" not in row or row["info"] is None for row in world.developer.ok("GET", "/datasets")["data"]
    )


def test_an_unknown_dataset(world: World) -> None:
    assert "Dataset 'none' is unknown" in world.developer.error(404, "GET", "/datasets/none")


def test_the_sample_is_downloaded_whole_or_in_ranges(world: World) -> None:
    world.publish()
    archive = dataset_archive(b"sample of digits", count=2)
    whole = world.developer.get("/datasets/digits/sample")
    assert whole.content == archive
    sha256 = announcement(archive)["sha256"]
    assert whole.headers["ETag"] == f'"{sha256}"'
    assert whole.headers["Content-SHA256"] == sha256
    assert whole.headers["Content-Length"] == str(len(archive))

    def ranged(value: str, if_range: str = f'"{sha256}"'):
        headers = {"Range": value, "If-Range": if_range}
        return world.developer.get("/datasets/digits/sample", headers=headers)

    rest = ranged("bytes=100-")
    assert (rest.status_code, rest.content) == (206, archive[100:])
    assert rest.headers["Content-Range"] == f"bytes 100-{len(archive) - 1}/{len(archive)}"
    assert ranged("bytes=-5").content == archive[-5:]
    assert ranged("bytes=10-19").content == archive[10:20]
    assert ranged("bytes=100-", if_range='"another"').content == archive
    beyond = ranged(f"bytes={len(archive)}-")
    assert beyond.status_code == 416
    assert beyond.headers["Content-Range"] == f"bytes */{len(archive)}"
    assert "not within the file" in beyond.json()["detail"]
    assert "should be like 'bytes=0-1023'" in ranged("lines=1-2").json()["detail"]


def test_a_version_of_the_sample_can_be_named(world: World) -> None:
    world.publish()
    for version in ("1.10.0", "1.9.0"):
        upload(world.owner, "digits", "sample", dataset_archive(version.encode()), version)
    get = world.developer.get
    assert get("/datasets/digits/sample").content == dataset_archive(b"1.10.0")
    assert get("/datasets/digits/sample?version=1.9.0").content == dataset_archive(b"1.9.0")
    assert world.developer.ok("GET", "/datasets/digits")["version"] == "1.10.0"
    assert world.developer.error(422, "GET", "/datasets/digits/sample?version=2.0.0") == (
        "Dataset 'digits' has no version 2.0.0; there are: 1.0.0, 1.9.0, 1.10.0."
    )


def test_without_a_sample_there_is_none(world: World) -> None:
    world.owner.ok("POST", "/datasets", json={"name": "digits"})
    upload(world.owner, "digits", "hidden", dataset_archive(b"x"))
    sentence = world.developer.error(422, "GET", "/datasets/digits/sample")
    assert sentence == "Dataset 'digits' has no sample data yet; its owner has to publish it."
    assert world.developer.ok("GET", "/datasets/digits")["info"] is None


def test_deleting_takes_the_bytes_but_not_the_experiments(world: World) -> None:
    world.publish(release="auto")
    experiment = world.submit(world.developer)["id"]
    for who in (world.developer, world.other_developer):
        assert who.error(403, "DELETE", "/datasets/digits") == "Only the owner of 'digits' deletes it."
    assert world.owner.error(409, "DELETE", "/datasets/digits") == (
        f"Dataset 'digits' is used by experiment {experiment}, which has not ended; cancel that first."
    )
    job = world.lease()
    assert job
    job.report("running", "collecting")
    job.put("model/model.bin", b"weights")
    job.report("succeeded")
    objects = world.folder / "objects"
    before = len(list(objects.glob("*/*")))
    world.owner.ok("DELETE", "/datasets/digits")
    assert len(list(objects.glob("*/*"))) == before - 2
    assert world.developer.ok("GET", f"/experiments/{experiment}")["dataset"] == "digits"
    assert world.developer.get(f"/experiments/{experiment}/artifacts/model/model.bin").content == b"weights"
    assert world.owner.error(404, "GET", f"/experiments/{experiment}")  # the owner of what, now
    world.owner.ok("POST", "/datasets", json={"name": "digits"})


def test_bytes_that_another_dataset_has_too_stay(world: World) -> None:
    for name in ("one", "two"):
        world.owner.ok("POST", "/datasets", json={"name": name})
        upload(world.owner, name, "sample", dataset_archive(b"shared"))
    world.owner.ok("DELETE", "/datasets/one")
    assert world.developer.get("/datasets/two/sample").content == dataset_archive(b"shared")


class TestRecipes:
    def make(self, world: World, body: object = "digits", **changes: object) -> dict:
        request = {"name": "mine", "template": {"body": body}} | changes
        return world.developer.ok("POST", "/dataset-recipes", json=request)

    def test_a_recipe_names_a_dataset(self, world: World) -> None:
        world.publish()
        made = self.make(world, "digits:1.0.0")
        assert world.developer.ok("GET", f"/dataset-recipes/{made['id']}") == made
        assert world.developer.ok("GET", "/dataset-recipes") == {"count": 1, "data": [made]}
        world.developer.ok("DELETE", f"/dataset-recipes/{made['id']}")
        assert world.developer.ok("GET", "/dataset-recipes")["count"] == 0

    def test_a_name_is_overwritten_only_when_asked(self, world: World) -> None:
        world.publish()
        made = self.make(world)
        request = {"name": "mine", "template": {"body": "digits:1.0.0"}}
        assert "set 'overwrite'" in world.developer.error(409, "POST", "/dataset-recipes", json=request)
        again = self.make(world, "digits:1.0.0", overwrite=True)
        assert again["id"] == made["id"]
        assert again["template"]["body"] == "digits:1.0.0"

    def test_everyone_has_their_own(self, world: World) -> None:
        world.publish()
        made = self.make(world)
        assert world.other_developer.ok("GET", "/dataset-recipes")["count"] == 0
        for method in ("GET", "DELETE"):
            assert world.other_developer.error(404, method, f"/dataset-recipes/{made['id']}")

    @pytest.mark.parametrize(
        ("body", "sentence"),
        [
            ({"op": "merge"}, "recipe: a source has one of 'name', 'path' and 'merge'."),
            ({"source": "none"}, "Dataset 'none' is unknown; there are: digits."),
            ({"source": "digits", "steps": ["shufle"]}, "recipe.steps[0]: there is no operation 'shufle'"),
            ({"path": "/etc"}, "A recipe on the service reads published datasets, not files ('/etc')."),
            ({"merge": ["digits", {"path": "mine"}]}, "A recipe on the service reads published datasets"),
            ("none", "Dataset 'none' is unknown; there are: digits."),
            ("digits:1", "Dataset 'digits:1' cannot be read"),
        ],
    )
    def test_what_it_cannot_name(self, world: World, body: object, sentence: str) -> None:
        world.publish()
        request = {"name": "mine", "template": {"body": body}}
        assert world.developer.error(422, "POST", "/dataset-recipes", json=request).startswith(sentence)
