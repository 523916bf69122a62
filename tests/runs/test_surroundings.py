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


def test_a_diff_is_a_patch_after_the_names_of_untracked_files(tmp_path: Path) -> None:
    needs("git")
    repository = tmp_path / "repository"
    repository.mkdir()
    assert surroundings.git_diff(repository) is None
    git(repository, "init", "-b", "trunk")
    (repository / "a").write_text("1\n")
    assert surroundings.git_diff(repository) == "# untracked: 'a'\n"
    (repository / "below").mkdir()
    (repository / "below" / "b").write_text("1\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-m", "one")
    assert surroundings.git_diff(repository) is None
    # Whatever is set for reading diffs by eye must not be in the patch.
    for setting in ("color.ui=always", "diff.noprefix=true", "diff.relative=true"):
        git(repository, "config", *setting.split("="))
    (repository / "a").write_text("2\n")
    (repository / "below" / "b").write_text("2\n")
    git(repository, "add", "a")
    (repository / "latin").write_bytes(b"caf\xe9\n")
    git(repository, "add", "latin")
    (repository / "naïve\nname").write_text("secret")
    diff = surroundings.git_diff(repository / "below")
    assert diff is not None
    assert diff.startswith("# untracked: 'naïve\\nname'\ndiff --git a/a b/a\n")
    assert "secret" not in diff
    surroundings.write_git_diff(repository, tmp_path / "git.diff")
    git(repository, "reset", "--hard")
    git(repository, "apply", str(tmp_path / "git.diff"))
    assert (repository / "a").read_text() == (repository / "below" / "b").read_text() == "2\n"
    assert (repository / "latin").read_bytes() == b"caf\xe9\n"


def test_a_long_diff_is_cut_between_two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("git")
    git(tmp_path, "init")
    for name in "abc":
        (tmp_path / name).write_text("1\n")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-m", "one")
    for name in "abc":
        (tmp_path / name).write_text("2\n" * 200)
    monkeypatch.setattr(surroundings, "_LONGEST_DIFF", 1500)
    diff = surroundings.git_diff(tmp_path)
    assert diff is not None
    assert diff.count("diff --git") == 2
    assert diff.endswith("\n# The patch is too long; the rest is left out.\n")
    git(tmp_path, "reset", "--hard")
    (tmp_path / "patch").write_text(diff)
    git(tmp_path, "apply", "patch")
    assert (tmp_path / "b").read_text() == "2\n" * 200
    assert (tmp_path / "c").read_text() == "1\n"


def test_no_diff_where_git_is_missing_and_none_of_an_earlier_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").write_text("nonsense")
    (tmp_path / "git.diff").write_text("old")
    surroundings.write_git_diff(tmp_path, tmp_path / "git.diff")
    assert not (tmp_path / "git.diff").exists()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert surroundings.git_diff(tmp_path) is None


def test_a_git_that_hangs_does_not_stop_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "git").write_text(f"#!{sys.executable}\nimport time\ntime.sleep(60)\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(surroundings, "_DIFF_TIMEOUT_S", 0.2)
    assert surroundings.git_diff(tmp_path) == "# The patch is too long; the rest is left out.\n"


def test_gpus_that_only_nvidia_smi_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 'NVIDIA H100'\necho 'NVIDIA H100'\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert surroundings.environment()["gpus"]
    monkeypatch.setattr(surroundings, "_SMI_TIMEOUT_S", 0.2)
    (tmp_path / "nvidia-smi").write_text(f"#!{sys.executable}\nimport time\ntime.sleep(60)\n")
    assert isinstance(surroundings.environment()["gpus"], list)


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
    assert described["cpu"]
    assert described["packages"]["numpy"]
