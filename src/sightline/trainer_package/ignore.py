"""Which files stay out of a package, and why.

Three sets of rules, each in gitignore syntax. Secrets and things that are never part of a package come
first and cannot be overruled. Then either the package's own ignore file or, without one, the defaults.
"""

from collections.abc import Sequence
from pathlib import Path

from sightline.errors import SightlineError
from sightline.trainer_package.gitignore import Pattern, parse_pattern

REASON_SECRET = "may hold a secret"  # noqa: S105  a sentence
IGNORE_FILES = (".sightlineignore", ".hafniaignore")  # the first that is there is obeyed

# Names of files; folders of these names are looked into, so that a module "credentials/" is packed.
SECRET_FILES = (
    ".env*",
    "*.env",
    "*.pem",
    "*.key",
    "*.ppk",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.gpg",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    ".netrc",
    "_netrc",
    ".pgpass",
    ".pypirc",
    ".npmrc",
    ".htpasswd",
    ".git-credentials",
    ".boto",
    ".s3cfg",
    "credentials",
    "credentials.csv",
    "credentials.ini",
    "credentials.toml",
    "credentials.txt",
    "credentials.y*ml",
    "*credentials*.json",
    "client_secret*.json",
    "service[-_]account*.json",
    "secrets.json",
    "secrets.toml",
    "secrets.y*ml",
    "kaggle.json",
    "key.json",
    "*[-_]key.json",
    "api[-_]key*",
    "*[-_]api[-_]key*",
    "password.txt",
    "passwords.txt",
    "secret.json",
    "secret.txt",
    "secret.y*ml",
    "token",
    "token.txt",
    "*[-_]token",
    "*[-_]token.txt",
    ".vault[-_]pass*",
    ".dockercfg",
    "*.tfstate*",
    "rclone.conf",
    "pip.conf",
    ".sightline.json",
)

SECRET_FOLDERS = (
    ".env/",
    ".aws/",
    ".azure/",
    ".config/",
    ".docker/",
    ".gcloud/",
    ".gnupg/",
    ".hafnia/",
    ".huggingface/",
    ".kube/",
    ".sightline/",
    ".ssh/",
)

NEVER_PACKED = (
    ".git",
    ".hg/",
    ".svn/",
    "__pycache__/",
    "*.py[cod]",
    "/trainer.zip",
    ".*.zip.*.part",  # what a killed create-zip leaves
)

DEFAULTS = (
    # results and data, which are not code
    ".data/",
    "wandb/",
    "mlruns/",
    "lightning_logs/",
    "tests/",
    "/*.zip",
    "*.png",
    "*.jpg",
    "*.jpeg",
    "*.gif",
    "*.bmp",
    "*.tif",
    "*.tiff",
    "*.webp",
    # environments and build products
    ".venv/",
    "venv/",
    "*.egg-info/",
    "/build/",
    "/dist/",
    "node_modules/",
    # tools' caches and settings
    ".*_cache/",
    ".cache/",
    ".hypothesis/",
    ".ipynb_checkpoints/",
    ".tox/",
    ".nox/",
    ".coverage*",
    ".idea/",
    ".vscode/",
    ".ds_store",
    "thumbs.db",
    "*.swp",
)


class IgnoreRules:
    """The rules for one package folder.

    Raises:
        SightlineError: the ignore file cannot be read or holds a line that is not a pattern.
    """

    def __init__(self, folder: Path) -> None:
        self.file: str | None = next((name for name in IGNORE_FILES if (folder / name).is_file()), None)
        self._secret_files = _parse(SECRET_FILES)
        self._secret_folders = _parse(SECRET_FOLDERS)
        self._never = _parse(NEVER_PACKED)
        if self.file is None:
            self._chosen = _parse(DEFAULTS)
        else:
            self._chosen = _parse(_read_lines(folder / self.file), self.file)

    def reason(self, name: str, *, is_folder: bool = False) -> str | None:
        """Why ``name`` (relative, with ``/``) stays out, or None when it is packed.

        As in git, what lies in a folder that stays out cannot be brought back: ask for the folder first.
        """
        fixed = self.fixed_reason(name, is_folder=is_folder)
        if fixed is not None:
            return fixed
        # Cameras write IMG.JPG: the defaults know no case. A package's own file is git's, which does.
        known_as = name if self.file else name.lower()
        for number, pattern in reversed(self._chosen):
            if pattern.matches(known_as, is_folder=is_folder):
                source = f"{self.file} line {number}" if self.file else "default rule"
                return None if pattern.negated else f"{source}: {pattern.text}"
        return None

    def fixed_reason(self, name: str, *, is_folder: bool = False) -> str | None:
        """As `reason`, for the rules that no ignore file overrules."""
        secrets = self._secret_folders if is_folder else self._secret_files
        # Case does not make a secret public, hence lower().
        if any(pattern.matches(name.lower(), is_folder=is_folder) for _, pattern in secrets):
            return REASON_SECRET
        if any(pattern.matches(name, is_folder=is_folder) for _, pattern in self._never):
            return "never part of a package"
        return None


def _parse(lines: Sequence[str], file: str | None = None) -> list[tuple[int, Pattern]]:
    """Patterns with their line numbers."""
    patterns: list[tuple[int, Pattern]] = []
    for number, line in enumerate(lines, 1):
        try:
            pattern = parse_pattern(line)
        except ValueError as error:
            raise SightlineError(f"{file} line {number}: '{line}' is not a pattern: {error}.") from error
        if pattern is not None:
            patterns.append((number, pattern))
    return patterns


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SightlineError(f"{path}: cannot be read as text in UTF-8 ({error}).") from error
