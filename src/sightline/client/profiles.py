"""Profiles: which service the client talks to, and as whom.

They live in ``$XDG_CONFIG_HOME/sightline/config.json`` (``~/.config`` where that is unset), or in the file
that SIGHTLINE_CONFIG names. The file holds API keys, so nobody but its user can read it.
"""

import json
import logging
import os
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sightline.errors import SightlineError
from sightline.files import written_whole

DEFAULT_URL = "http://127.0.0.1:8000"
DEFAULT_PROFILE = "default"

URL_VARIABLE = "SIGHTLINE_URL"
KEY_VARIABLE = "SIGHTLINE_API_KEY"
PATH_VARIABLE = "SIGHTLINE_CONFIG"

_KEY_OF_VARIABLE = f"the API key in {KEY_VARIABLE}"
_PRIVATE = stat.S_IRUSR | stat.S_IWUSR
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Profile:
    """A service and a user of it. ``origin`` names the key in errors, by where it came from."""

    name: str
    url: str
    api_key: str = field(repr=False)
    origin: str = "the API key"

    @property
    def masked_key(self) -> str:
        """The key's last four characters, enough to tell keys apart and too few to use."""
        return f"…{self.api_key[-4:]}" if len(self.api_key) >= 12 else "…"


@dataclass(frozen=True)
class Profiles:
    """What the file holds. Changes give a new object; `save_profiles` writes it."""

    active: str | None = None
    by_name: dict[str, Profile] = field(default_factory=dict)

    def get(self, name: str) -> Profile:
        """The profile ``name``.

        Raises:
            SightlineError: there is none; the sentence lists those there are.
        """
        if name not in self.by_name:
            there = ", ".join(sorted(self.by_name)) or "none yet; run `sightline configure`"
            raise SightlineError(f"there is no profile '{name}' (profiles: {there}).")
        return self.by_name[name]

    def with_profile(self, profile: Profile, *, activate: bool) -> "Profiles":
        """These profiles with ``profile`` added or replaced. The first profile is always active."""
        active = profile.name if activate or self.active is None else self.active
        return Profiles(active, self.by_name | {profile.name: profile})

    def without(self, name: str) -> "Profiles":
        """These profiles without ``name``; where that was active, none is."""
        self.get(name)
        rest = {other: profile for other, profile in self.by_name.items() if other != name}
        return Profiles(None if self.active == name else self.active, rest)

    def with_active(self, name: str) -> "Profiles":
        """These profiles with ``name`` the active one."""
        return replace(self, active=self.get(name).name)


def config_path() -> Path:
    """The file that holds the profiles, whether it exists or not."""
    if named := os.environ.get(PATH_VARIABLE):
        return Path(named).expanduser()
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "sightline" / "config.json"


def load_profiles() -> Profiles:
    """The profiles in the file; none if there is no file.

    A file that others can read is made private, with a warning: the keys in it may be known already.

    Raises:
        SightlineError: the file cannot be read or is damaged.
    """
    path = config_path()
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & ~_PRIVATE & 0o777:
            path.chmod(_PRIVATE)
            _log.warning(
                "warning: %s could be read by other users (mode %03o) and has been made private; "
                "have its API keys replaced if others use this machine.",
                path,
                mode,
            )
        return _parsed(json.loads(path.read_text(encoding="utf-8")), path)
    except FileNotFoundError:
        return Profiles()
    except OSError as error:
        raise SightlineError(f"{path}: cannot be read ({error.strerror}).") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SightlineError(
            f"{path}: is damaged ({error}); mend it, or remove it with `sightline clear` and run "
            f"`sightline configure`."
        ) from error


def save_profiles(profiles: Profiles) -> Path:
    """Write the file whole, readable by its user alone, and return its path."""
    path = config_path()
    body = {
        "active": profiles.active,
        "profiles": {
            profile.name: {"url": profile.url, "api_key": profile.api_key}
            for profile in profiles.by_name.values()
        },
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with written_whole(path, mode=_PRIVATE) as temporary:
            temporary.write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise SightlineError(f"{path}: cannot be written ({error.strerror}).") from error
    return path


def active_profile() -> Profile:
    """The profile to use now: the environment's, where SIGHTLINE_URL and SIGHTLINE_API_KEY are set, else
    the file's active one.

    SIGHTLINE_API_KEY alone replaces the active profile's key. SIGHTLINE_URL alone does not replace its
    URL: that would send the key of one service to another.

    Raises:
        SightlineError: nothing is configured, or only half of it.
    """
    url, key = os.environ.get(URL_VARIABLE), os.environ.get(KEY_VARIABLE)
    if url and key:
        return Profile("environment", url, key, origin=_KEY_OF_VARIABLE)
    profiles = load_profiles()
    if profiles.active is None:
        if url or key:
            there, missing = (URL_VARIABLE, KEY_VARIABLE) if url else (KEY_VARIABLE, URL_VARIABLE)
            raise SightlineError(
                f"{there} is set but {missing} is not; set both, or run `sightline configure`."
            )
        if profiles.by_name:
            names = ", ".join(sorted(profiles.by_name))
            raise SightlineError(f"no profile is active; run `sightline profile use NAME` ({names}).")
        raise SightlineError(
            f"no service is configured; run `sightline configure`, or set {URL_VARIABLE} and {KEY_VARIABLE}."
        )
    profile = profiles.get(profiles.active)
    if url and url.rstrip("/") != profile.url.rstrip("/"):
        raise SightlineError(
            f"{URL_VARIABLE} names {url}, but the key of profile '{profile.name}' is for {profile.url}; "
            f"set {KEY_VARIABLE} too."
        )
    return replace(profile, api_key=key, origin=_KEY_OF_VARIABLE) if key else profile


def _parsed(body: Any, path: Path) -> Profiles:
    by_name = {
        name: Profile(
            name, str(entry["url"]), str(entry["api_key"]), f"the API key of profile '{name}' in {path}"
        )
        for name, entry in body["profiles"].items()
    }
    active = body.get("active")
    return Profiles(active if active in by_name else None, by_name)
