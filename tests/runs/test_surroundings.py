import subprocess
import sys
from pathlib import Path

import pytest

from sightline.runs import surroundings
from tests.needs import needs


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_git_state(tmp_path: Path) -> None:
    needs("git")
    assert surroundings.git_state(tmp_path) is None
    git(tmp_path, "init", "-b", "trunk")
    assert surroundings.git_state(tmp_path) == {"commit": None, "branch": "trunk", "dirty": False}
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "one")
    (tmp_path / "new").write_text("untracked")
    (tmp_path / "below").mkdir()
    clean = {"commit": git(tmp_path, "rev-parse", "HEAD"), "branch": "trunk", "dirty": False}
    assert surroundings.git_state(tmp_path / "below") == clean
    (tmp_path / "a").write_text("2")
    git(tmp_path, "checkout", "--detach")
    assert surroundings.git_state(tmp_path) == {**clean, "branch": None, "dirty": True}


def test_a_broken_repository_does_not_stop_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").write_text("nonsense")
    unknown = {"commit": None, "branch": None, "dirty": None}
    assert surroundings.git_state(tmp_path) == unknown
    monkeypatch.setenv("PATH", str(tmp_path))
    assert surroundings.git_state(tmp_path) == unknown


def test_secrets_on_the_command_line_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys, "argv", ["t.py", "--api-key", "s3", "--hub_token=s3", "--lr", "1", "--password", "-v", "x"]
    )
    assert surroundings.command() == [
        "t.py",
        "--api-key",
        "***",
        "--hub_token=***",
        "--lr",
        "1",
        "--password",
        "-v",
        "x",
    ]


def test_environment_has_no_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "s3cr3t-value")
    described = surroundings.environment()
    assert "s3cr3t-value" not in str(described)
    assert described["cpus"] >= 1
    assert described["memory_bytes"] > 1 << 28
    assert described["packages"]["numpy"]
