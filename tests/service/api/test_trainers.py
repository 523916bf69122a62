import pytest

from tests.service.world import World, make_zip, package


def create(world: World, content: bytes, status: int = 422, **form: str) -> str:
    files = {"file": ("mine.zip", content)}
    return world.developer.error(status, "POST", "/trainers", data={"name": "t"} | form, files=files)


def test_a_package_is_stored_and_described(world: World) -> None:
    form = {"name": "t", "description": "a net", "default_command": "scripts/train.py --lr 1"}
    made = world.developer.ok("POST", "/trainers", data=form, files={"file": ("trainer.zip", package())})
    assert (made["author"], made["description"], made["size_bytes"]) == ("dev", "a net", len(package()))
    assert world.developer.ok("GET", f"/trainers/{made['id']}") == made
    assert world.developer.ok("GET", "/trainers") == {"count": 1, "data": [made]}
    assert list((world.folder / "uploads").iterdir()) == []


def test_others_do_not_see_it(world: World) -> None:
    made = world.trainer(world.developer)
    assert world.other_developer.ok("GET", "/trainers")["count"] == 0
    assert world.admin.ok("GET", "/trainers")["count"] == 1
    missing = world.other_developer.error(404, "GET", "/trainers/0000000000000000")
    hidden = world.other_developer.error(404, "GET", f"/trainers/{made['id']}")
    assert hidden.replace(made["id"], "0000000000000000") == missing
    assert world.other_developer.error(404, "PATCH", f"/trainers/{made['id']}", json={"name": "x"})


@pytest.mark.parametrize(
    ("members", "word"),
    [
        ({"scripts/train.py": ""}, "Dockerfile"),
        ({"Dockerfile": "FROM x"}, "scripts"),
        ({"Dockerfile": "FROM x", "scripts/train.py": "", "../evil.py": ""}, "points outside"),
    ],
)
def test_a_package_with_something_wrong_is_refused(world: World, members: dict[str, str], word: str) -> None:
    sentence = create(world, make_zip(members))
    assert word in sentence
    assert sentence.startswith("mine.zip: ")
    assert str(world.folder) not in sentence
    assert world.developer.ok("GET", "/trainers")["count"] == 0
    assert list((world.folder / "uploads").iterdir()) == []


def test_what_is_no_zip_is_refused(world: World) -> None:
    assert create(world, b"hello").startswith("mine.zip: cannot be read as a zip file")


def test_a_default_command_has_to_be_in_the_package(world: World) -> None:
    assert "did you mean 'scripts/train.py'" in create(world, package(), default_command="scripts/tran.py")


def test_form_fields_are_checked_too(world: World) -> None:
    assert create(world, package(), name="a b").startswith("Field 'name': 'a b' should be 1 to 100 letters")
    assert world.developer.error(422, "POST", "/trainers", data={"name": "t"}) == "Field 'file' is missing."


def test_a_package_that_is_too_large(make_world) -> None:
    small = make_world(max_trainer_bytes=100)
    assert create(small, package(), status=413) == "The package is larger than the 100 B allowed."
    assert "The call's body is larger" in create(small, b"x" * (2 << 20), status=413)


def test_changing_what_is_said_about_it(world: World) -> None:
    made = world.trainer(world.developer)
    path = f"/trainers/{made['id']}"
    changed = world.developer.ok("PATCH", path, json={"description": "better", "name": "net"})
    assert changed == made | {"description": "better", "name": "net"}
    sentence = world.developer.error(422, "PATCH", path, json={"default_command": "scripts/x.py"})
    assert "which is not in the package" in sentence
    assert world.developer.ok("PATCH", path, json={"default_command": "scripts/train.py"})
