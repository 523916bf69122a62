from pathlib import Path

import pytest

from sightline.errors import SightlineError
from sightline.trainer_package.collect import collect
from sightline.trainer_package.ignore import IgnoreRules
from tests.trainer_package.conftest import WriteTree


def packed(folder: Path) -> set[str]:
    return {file.name for file in collect(folder).files}


SECRETS = [
    ".env",
    ".env.production",
    ".ENV",
    "src/.envrc",
    "deploy.env",
    "server.pem",
    "scripts/id_rsa",
    "id_rsa.old",
    "id_ed25519",
    "tls.key",
    ".netrc",
    "credentials",
    "google-credentials.json",
    "client_secret_1.json",
    "secrets.toml",
    "kaggle.json",
    ".aws/config",
    ".ssh/known_hosts",
    ".config/sightline/config.json",
    ".huggingface/token",
    ".pypirc",
]


@pytest.mark.parametrize("ignore", [None, "", "!*\n!**/*\n!.env\n!.aws/\n!.aws/**\n"])
def test_secrets_are_never_packed_even_when_a_rule_brings_them_back(
    write_tree: WriteTree, ignore: str | None
) -> None:
    sound = packed(write_tree(root="sound"))
    folder = write_tree({**dict.fromkeys(SECRETS, "secret"), ".sightlineignore": ignore})
    assert packed(folder) - {".sightlineignore"} == sound
    said = " ".join(str(left) for left in collect(folder).left_out)
    assert said.count("may hold a secret") >= 2


def test_a_private_key_under_any_name_stays_out(write_tree: WriteTree) -> None:
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n"
    folder = write_tree({"scripts/deploy": key, "scripts/cert": key.replace("PRIVATE", "PUBLIC")})
    assert "scripts/deploy" not in packed(folder)
    assert "scripts/cert" in packed(folder)


def test_modules_named_like_secrets_are_packed(write_tree: WriteTree) -> None:
    code = {
        "src/trainer/credentials.py": "",
        "src/credentials/__init__.py": "",
        "src/secrets.py": "",
        "src/keys.py": "",
    }
    assert set(code) <= packed(write_tree(dict(code)))


def test_the_profiles_file_stays_out_wherever_it_is(
    write_tree: WriteTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_tree({"mine.json": "{}"})
    monkeypatch.setenv("SIGHTLINE_CONFIG", str(folder / "mine.json"))
    assert "mine.json" not in packed(folder)


def test_defaults_leave_out_what_is_not_code(write_tree: WriteTree) -> None:
    clutter = [
        ".data/datasets/a/annotations.parquet",
        ".git/config",
        ".venv/bin/python",
        ".vscode/launch.json",
        ".ruff_cache/x",
        "src/trainer/__pycache__/model.cpython-311.pyc",
        "src/trainer.egg-info/PKG-INFO",
        "tests/test_a.py",
        "wandb/run",
        "image.png",
        "docs/image.jpeg",
        "trainer.zip",
        "older.zip",
        "build/lib/x.py",
    ]
    sound = packed(write_tree(root="sound"))
    kept = {"README.md", ".dockerignore", "uv.lock", "src/weights.safetensors", "src/build/x.py", "src/a.zip"}
    folder = write_tree({**dict.fromkeys(clutter, "x"), **dict.fromkeys(kept, "x")})
    assert packed(folder) == sound | kept


def test_an_ignore_file_replaces_the_defaults(write_tree: WriteTree) -> None:
    folder = write_tree(
        {".sightlineignore": "*.md\n!README.md\n", "README.md": "", "a.md": "", "logo.png": ""}
    )
    assert packed(folder) >= {"README.md", "logo.png"}
    assert "a.md" not in packed(folder)


def test_the_other_ignore_file_counts_only_without_ours(write_tree: WriteTree) -> None:
    folder = write_tree({".hafniaignore": "*.md\n", "a.md": "", "b.txt": ""})
    assert "a.md" not in packed(folder)
    (folder / ".sightlineignore").write_text("*.txt\n")
    assert "a.md" in packed(folder)
    assert "b.txt" not in packed(folder)


def test_a_virtual_environment_of_any_name_stays_out(write_tree: WriteTree) -> None:
    folder = write_tree({"my-env/pyvenv.cfg": "", "my-env/lib/x.py": "", ".sightlineignore": ""})
    assert not any(name.startswith("my-env") for name in packed(folder))
    assert "my-env/ (a virtual environment)" in [str(left) for left in collect(folder).left_out]


def test_the_reasons_are_grouped_by_folder_and_name_the_line(write_tree: WriteTree) -> None:
    files = {f"docs/{number}.md": "" for number in range(5)} | {"notes/a": "", "docs/x.txt": ""}
    folder = write_tree({**files, ".sightlineignore": "# mine\n\n*.md\nnotes/\n"})
    assert [str(left) for left in collect(folder).left_out] == [
        "notes/ (.sightlineignore line 4: notes/)",
        "docs/: 0.md, 1.md, 2.md and 2 more (.sightlineignore line 3: *.md)",
    ]
    (folder / ".sightlineignore").unlink()
    (folder / "docs/a.png").write_text("")
    assert [str(left) for left in collect(folder).left_out] == ["docs/: a.png (default rule: *.png)"]


@pytest.mark.parametrize("line", ["!", "/", "a\\", "[ab", "[[:odd:]]"])
def test_a_line_that_is_no_pattern_is_named(write_tree: WriteTree, line: str) -> None:
    folder = write_tree({".sightlineignore": f"*.md\n{line}\n"})
    with pytest.raises(SightlineError, match=r"\.sightlineignore line 2: '.*' is not a pattern"):
        IgnoreRules(folder)


def test_an_ignore_file_that_is_no_text_is_a_sentence(write_tree: WriteTree) -> None:
    folder = write_tree()
    (folder / ".sightlineignore").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SightlineError, match=r"\.sightlineignore: cannot be read as text"):
        IgnoreRules(folder)
