import json
import stat
from pathlib import Path

import pytest

from sightline.client import connect
from sightline.client.profiles import (
    Profile,
    Profiles,
    active_profile,
    config_path,
    load_profiles,
    save_profiles,
)
from sightline.errors import SightlineError

KEY = "sl_0123456789abcdef"


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for variable in ("SIGHTLINE_URL", "SIGHTLINE_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    path = tmp_path / "config" / "config.json"
    monkeypatch.setenv("SIGHTLINE_CONFIG", str(path))
    return path


def stored(*names: str, active: str | None = None) -> Profiles:
    profiles = Profiles()
    for name in names:
        profiles = profiles.with_profile(Profile(name, f"http://{name}:1", KEY), activate=name == active)
    save_profiles(profiles)
    return load_profiles()


def test_where_the_file_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SIGHTLINE_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert config_path() == tmp_path / "sightline" / "config.json"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert config_path() == Path.home() / ".config" / "sightline" / "config.json"


def test_only_its_user_can_read_the_file(no_configuration: Path) -> None:
    stored("work")
    assert stat.S_IMODE(no_configuration.stat().st_mode) == 0o600
    assert stat.S_IMODE(no_configuration.parent.stat().st_mode) & 0o077 == 0
    assert [path.name for path in no_configuration.parent.iterdir()] == ["config.json"]


def test_a_file_that_others_can_read_is_made_private(
    no_configuration: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stored("work")
    no_configuration.chmod(0o644)
    assert load_profiles().active == "work"
    assert stat.S_IMODE(no_configuration.stat().st_mode) == 0o600
    assert "could be read by other users (mode 644) and has been made private" in caplog.text
    assert KEY not in caplog.text
    caplog.clear()
    load_profiles()
    assert caplog.text == ""


def test_profiles_are_added_activated_and_removed() -> None:
    profiles = stored("first", "second")
    assert profiles.active == "first"  # the first one is active without being asked for
    profiles = profiles.with_active("second")
    assert profiles.active == "second"
    assert profiles.without("first").active == "second"
    assert profiles.without("second").active is None
    with pytest.raises(SightlineError, match=r"no profile 'third' \(profiles: first, second\)"):
        profiles.with_active("third")
    with pytest.raises(SightlineError, match="no profile 'third'"):
        profiles.without("third")
    with pytest.raises(SightlineError, match="run `sightline configure`"):
        Profiles().get("x")


def test_a_key_is_never_shown() -> None:
    profile = Profile("work", "http://h:1", KEY)
    assert KEY not in repr(profile)
    assert profile.masked_key == "…cdef"
    assert Profile("work", "http://h:1", "short").masked_key == "…"


def test_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_URL", "http://env:2")
    with pytest.raises(SightlineError, match="SIGHTLINE_URL is set but SIGHTLINE_API_KEY is not"):
        active_profile()
    monkeypatch.setenv("SIGHTLINE_API_KEY", "env-key")
    assert active_profile() == Profile(
        "environment", "http://env:2", "env-key", "the API key in SIGHTLINE_API_KEY"
    )
    monkeypatch.delenv("SIGHTLINE_URL")
    with pytest.raises(SightlineError, match="SIGHTLINE_API_KEY is set but SIGHTLINE_URL is not"):
        active_profile()
    stored("work")
    found = active_profile()
    assert (found.url, found.api_key, found.origin) == (
        "http://work:1",
        "env-key",
        "the API key in SIGHTLINE_API_KEY",
    )


def test_the_key_of_one_service_is_not_sent_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    stored("work")
    monkeypatch.setenv("SIGHTLINE_URL", "http://elsewhere:3")
    with pytest.raises(SightlineError, match="the key of profile 'work' is for http://work:1"):
        active_profile()
    monkeypatch.setenv("SIGHTLINE_URL", "http://work:1/")
    assert active_profile().api_key == KEY


def test_nothing_configured() -> None:
    with pytest.raises(SightlineError, match="run `sightline configure`, or set SIGHTLINE_URL and"):
        connect()


def test_no_profile_active() -> None:
    save_profiles(stored("a", "b").without("a"))
    with pytest.raises(SightlineError, match=r"run `sightline profile use NAME` \(b\)"):
        active_profile()


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"profiles": []}', '{"profiles": {"a": {}}}', '{"profiles": {"a": 3}}', "\xff"],
)
def test_a_damaged_file(no_configuration: Path, content: str) -> None:
    no_configuration.parent.mkdir()
    no_configuration.write_bytes(content.encode("latin-1"))
    no_configuration.chmod(0o600)
    with pytest.raises(SightlineError, match=r"config\.json: is damaged .*sightline clear"):
        load_profiles()


def test_a_file_that_cannot_be_read_or_written(no_configuration: Path) -> None:
    no_configuration.mkdir(parents=True)
    no_configuration.chmod(0o700)
    with pytest.raises(SightlineError, match=r"config\.json: cannot be"):
        save_profiles(Profiles())
    with pytest.raises(SightlineError, match=r"config\.json: cannot be read"):
        load_profiles()


def test_an_active_profile_that_is_gone(no_configuration: Path) -> None:
    stored("a")
    body = json.loads(no_configuration.read_text())
    no_configuration.write_text(json.dumps(body | {"active": "b"}))
    assert load_profiles().active is None


def test_connect_names_the_origin_of_the_key(no_configuration: Path) -> None:
    stored("work")
    with connect() as client:
        assert client.url == "http://work:1"
        assert client.transport.key_origin == f"the API key of profile 'work' in {no_configuration}"
