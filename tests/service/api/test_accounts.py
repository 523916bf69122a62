from sqlalchemy import text

from sightline import __version__
from tests.service.world import Caller, World


def test_health_tells_the_version(world: World) -> None:
    assert world.nobody.ok("GET", "/health") == {"status": "ok", "version": __version__}


def test_a_key_is_shown_once_and_never_stored(world: World) -> None:
    made = world.admin.ok("POST", "/users", json={"name": "anna", "role": "owner"})
    assert Caller(world.send, made["api_key"]).ok("GET", "/me") == made["user"]
    assert made["api_key"] not in world.admin.get("/users").text
    assert world.core
    with world.core.database.read() as session:
        assert made["api_key"] not in str(session.execute(text("SELECT * FROM api_keys")).all())


def test_a_removed_user_is_out_at_once_and_the_name_is_not_given_again(world: World) -> None:
    anna = world.person("anna", "developer")
    assert anna.get("/me").is_success
    world.admin.ok("DELETE", "/users/anna")
    assert "not valid" in anna.error(401, "GET", "/me")
    assert world.admin.error(404, "DELETE", "/users/anna") == "There is no user 'anna'."
    sentence = world.admin.error(409, "POST", "/users", json={"name": "anna", "role": "owner"})
    assert "belonged to a user who was removed" in sentence
    assert "anna" not in world.admin.get("/users").text


def test_names_are_taken_once(world: World) -> None:
    world.person("anna", "developer")
    sentence = world.admin.error(409, "POST", "/users", json={"name": "anna", "role": "owner"})
    assert sentence == "The name 'anna' belongs to a user; choose another."


def test_only_admins_manage_users(world: World) -> None:
    for who in (world.developer, world.owner):
        assert who.error(403, "GET", "/users") == "Only an admin manages users."
        assert who.error(403, "POST", "/users", json={"name": "x", "role": "admin"})
        assert who.error(403, "DELETE", "/users/admin")


def test_an_admin_cannot_lock_everybody_out(world: World) -> None:
    assert "cannot remove yourself" in world.admin.error(409, "DELETE", "/users/admin")


def test_users_are_listed_in_pages(world: World) -> None:
    for name in ("c", "a", "b"):
        world.person(name, "developer")
    page = world.admin.ok("GET", "/users?page=2&page_size=2")
    assert page["count"] == 5
    assert [user["name"] for user in page["data"]] == ["b", "c"]
    assert world.admin.ok("GET", "/users?page=9")["data"] == []
