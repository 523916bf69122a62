import shutil
from pathlib import Path

from tests.cli.conftest import Person


def test_create_zip_and_view_zip(developer: Person, package: Path) -> None:
    first = developer.ok("trainer", "create-zip", package, "--output", "a/trainer.zip").out
    second = developer.ok("trainer", "create-zip", package, "--output", "b/trainer.zip").out
    assert "2 files" in first
    assert first.splitlines()[1] == second.splitlines()[1]  # the same hash
    listed = developer.ok("trainer", "view-zip", "--path", "a/trainer.zip").out
    assert "scripts/train.py" in listed
    short = developer.ok("trainer", "view-zip", "--path", "a/trainer.zip", "--depth-limit", "1").out
    assert "scripts/…" in short
    names = [
        member["name"]
        for member in developer.ok("trainer", "view-zip", "--path", "a/trainer.zip", "--json").json
    ]
    assert names == ["Dockerfile", "scripts/train.py"]


def test_secrets_that_stay_out_are_named(developer: Person, package: Path, tmp_path: Path) -> None:
    shutil.copytree(package, tmp_path / "p")
    (tmp_path / "p" / ".env").write_text("TOKEN=1")
    result = developer.ok("trainer", "create-zip", tmp_path / "p", "--output", tmp_path / "t.zip")
    assert "left out: .env (" in result.err
    assert ".env" not in developer.ok("trainer", "view-zip", "--path", tmp_path / "t.zip").out


def test_check(developer: Person, package: Path, tmp_path: Path) -> None:
    assert "is a trainer package" in developer.ok("trainer", "check", package).out
    result = developer("trainer", "check", tmp_path)
    assert result.code == 1
    assert "Dockerfile" in result.err
    assert "scripts/" in result.err
    assert all(line.startswith("error: ") for line in result.err.splitlines())
    (tmp_path / "no.zip").write_text("no zip")
    assert "no.zip" in developer("trainer", "check", tmp_path / "no.zip").err
    assert "nowhere" in developer("trainer", "check", tmp_path / "nowhere").err


def test_upload_and_update(developer: Person, package: Path) -> None:
    created = developer.ok("trainer", "create", package, "-d", "Learns squares", "--json").json
    assert created["name"] == "my-trainer"
    assert created["default_command"] == "python scripts/train.py"
    updated = developer.ok("trainer", "update", created["id"][:6], "-n", "better", "--json").json
    assert (updated["name"], updated["description"]) == ("better", "Learns squares")
    assert "better" in developer.ok("trainer", "ls").out
    nothing = developer("trainer", "update", created["id"])
    assert nothing.code == 2
    assert "--name" in nothing.err
    wrong = developer("trainer", "create", package, "--cmd", "python scripts/trian.py")
    assert wrong.code == 1
    assert "scripts/train.py" in wrong.err
    assert developer("trainer", "update", "nothing", "-n", "x").err.startswith(
        "error: there is no trainer 'nothing'"
    )
