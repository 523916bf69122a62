import stat
from pathlib import Path

import pytest

from tests.cli.conftest import Person, Service


def test_the_questions_of_configure(nobody: Person, service: Service) -> None:
    result = nobody.ok("configure", stdin=f"\n{service.admin_key}\n{service.url}\n")
    assert "Profile Name [default]:" in result.out
    assert "Sightline API Key:" in result.out
    assert "Sightline URL [http://127.0.0.1:8000]:" in result.out
    assert f"profile 'default': admin (admin) at {service.url}" in result.out
    assert service.admin_key not in result.out + result.err
    assert stat.S_IMODE((nobody.home / "config.json").stat().st_mode) == 0o600
    assert nobody.ok("user", "ls", "--json").json[0]["name"]


def test_a_key_file_and_no_questions(nobody: Person, service: Service) -> None:
    (nobody.home / "key").write_text(service.admin_key + "\n")
    nobody.ok("configure", "--api-key-file", "key", "--api-url", service.url + "/")
    assert nobody.ok("profile", "active", "--json").json == {
        "name": "default",
        "url": service.url,
        "key": f"…{service.admin_key[-4:]}",
    }
    both = nobody("configure", "--api-key-file", "key", "--api-key", "x")
    assert both.code == 1
    assert "give one of them" in both.err


def test_a_wrong_key_is_not_stored(nobody: Person, service: Service) -> None:
    result = nobody("configure", "--api-key", "sl_wrong", "--api-url", service.url)
    assert result.code == 1
    assert f"error: {service.url} does not accept the API key given" in result.err
    assert not (nobody.home / "config.json").exists()
    nobody.ok("configure", "--api-key", "sl_wrong", "--api-url", service.url, "--no-check")
    result = nobody("dataset", "ls")
    assert result.code == 1
    assert f"the API key of profile 'default' in {nobody.home / 'config.json'}" in result.err


def test_a_service_that_is_down(nobody: Person) -> None:
    result = nobody("configure", "--api-key", "k", "--api-url", "http://127.0.0.1:9")
    assert result.code == 1
    assert "cannot reach http://127.0.0.1:9" in result.err
    assert "is the service up?" in result.err


@pytest.mark.parametrize(
    ("key", "url"), [("", "http://h"), ("a b", "http://h"), ("k", "h"), ("k", "ftp://h")]
)
def test_what_cannot_be_right_is_refused(nobody: Person, key: str, url: str) -> None:
    result = nobody("configure", "--api-key", key, "--api-url", url, "--no-check")
    assert result.code == 1
    assert not (nobody.home / "config.json").exists()


def test_a_key_file_that_holds_no_text(nobody: Person) -> None:
    (nobody.home / "key").write_bytes(bytes(range(128, 256)))
    result = nobody("configure", "--api-key-file", "key", "--api-url", "http://127.0.0.1:9", "--no-check")
    assert result.code == 1
    assert result.err.startswith("error: ")
    assert not (nobody.home / "config.json").exists()


def test_clear(nobody: Person) -> None:
    assert "nothing to remove" in nobody.ok("clear").out
    nobody.ok("profile", "create", "key", "--no-check")
    refused = nobody("clear")
    assert refused.code == 1
    assert "--yes" in refused.err
    assert (nobody.home / "config.json").exists()
    assert "removed" in nobody.ok("clear", "--yes").out
    assert not (nobody.home / "config.json").exists()


def test_profiles(nobody: Person) -> None:
    assert "no profiles yet" in nobody.ok("profile", "ls").err
    nobody.ok(
        "profile", "create", "sl_0123456789ab", "--name", "one", "--api-url", "http://one", "--no-check"
    )
    nobody.ok(
        "profile", "create", "-", "--name", "two", "--no-activate", "--no-check", stdin="sl_cdefcdefcdef\n"
    )
    assert [(p["name"], p["active"], p["api_key"]) for p in nobody.ok("profile", "ls", "--json").json] == [
        ("one", True, "…89ab"),
        ("two", False, "…cdef"),
    ]
    assert "*  one   http://one" in nobody.ok("profile", "ls").out
    nobody.ok("profile", "use", "two")
    assert "http://127.0.0.1:8000" in nobody.ok("profile", "active").out
    result = nobody.ok("profile", "rm", "two")
    assert "no profile is active now" in result.err
    assert "no profile is active; run `sightline profile use NAME` (one)" in nobody("profile", "active").err
    missing = nobody("profile", "use", "three")
    assert missing.code == 1
    assert "no profile 'three' (profiles: one)" in missing.err


def test_users(admin: Person, developer: Person, service: Service, tmp_path: Path) -> None:
    created = admin.ok("user", "create", "eve", "--role", "developer")
    key = created.out.strip()
    eve = Person(tmp_path, {"SIGHTLINE_URL": service.url, "SIGHTLINE_API_KEY": key})
    assert eve.ok("trainer", "ls", "--json").json == []
    assert "eve" in admin.ok("user", "ls").out
    again = admin("user", "create", "eve")
    assert again.code == 1
    assert "eve" in again.err
    admin.ok("user", "rm", "eve")
    gone = eve("trainer", "ls")
    assert gone.code == 1
    assert "does not accept the API key in SIGHTLINE_API_KEY" in gone.err
    assert developer("user", "ls").code == 1
    assert "use letters" in admin("user", "create", "a b").err
