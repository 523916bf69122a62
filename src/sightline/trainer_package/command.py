"""From the command that a user wrote to the arguments that a sandbox runs, without a shell between."""

import difflib
import posixpath
import re
import shlex
from collections.abc import Collection, Sequence

from sightline.errors import SightlineError
from sightline.trainer_package.layout import SCRIPTS_FOLDER, is_script

CODE_FOLDER = "/opt/ml/code"  # where a job finds its package

_PYTHON = re.compile(r"python(\d(\.\d+)?)?")
_SHELLS = ("sh", "bash", "dash", "zsh")
_LAUNCHERS = ("torchrun", "accelerate")
# A word, quotes kept, that only a shell understands: an operator, a redirection, a variable or a command
# in its place.
_SHELL_SYNTAX = re.compile(r"&&?|\|\|?|[^'\"]*;|\d?[<>].*|&>.*|[^']*(\$[\w{(]|`)[^']*", re.DOTALL)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_PYTHON_OPTIONS_WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")
_SHOWN = 10


def parse_command(command: str, names: Collection[str]) -> list[str]:
    """Split ``command`` as a shell would and check that the script it names is among the package's files.

    A first word that ends in ``.py`` is run with ``python``. Programs that are not files of the package
    (``torchrun``, ``bash``) are left for the job to find.

    Raises:
        SightlineError: an empty command, an open quote, shell syntax, or a script that is not in the
            package, with the scripts that are.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise SightlineError(
            f"The command '{command}' has an open quote or a last backslash; close it."
        ) from error
    if not words or not words[0]:
        raise SightlineError(f"The command is empty; give one such as 'python {_example(names)}'.")
    if "\0" in command:
        raise SightlineError("The command holds a zero character; remove it.")
    if _ASSIGNMENT.match(words[0]):
        raise SightlineError(f"The command starts with '{words[0]}'; write 'env {words[0]} ...' to set it.")
    if words[0] not in _SHELLS:
        _refuse_shell_syntax(command)
    if words[0].endswith(".py"):
        words.insert(0, "python")
    script = _script(words)
    if script is not None:
        _require(script, names)
    return words


def _refuse_shell_syntax(command: str) -> None:
    try:
        raw_words = shlex.split(command, posix=False)  # keeps the quotes, which say what is meant literally
    except ValueError:
        return
    found = next((word for word in raw_words if _SHELL_SYNTAX.fullmatch(word)), None)
    if found is not None:
        raise SightlineError(
            f"The command has {found}, but no shell reads it; "
            "put the steps in a script, or write bash -c '...'."
        )


def _script(words: Sequence[str]) -> str | None:
    """The word that should be a file of the package; None when there is none to check."""
    program, arguments = words[0], words[1:]
    if _PYTHON.fullmatch(program):
        return _python_script(arguments)
    if program in _SHELLS:
        first = arguments[0] if arguments else ""
        return first if first and not first.startswith("-") else None
    if program in _LAUNCHERS:
        return next((word for word in arguments if word.endswith(".py")), None)
    return program if "/" in program else None


def _python_script(arguments: Sequence[str]) -> str | None:
    words = iter(arguments)
    for word in words:
        if word in _PYTHON_OPTIONS_WITH_VALUE:
            next(words, None)
        elif word.startswith(("-m", "-c")) or word == "-":
            return None
        elif not word.startswith("-"):
            return word
    return None


def _require(script: str, names: Collection[str]) -> None:
    relative = script.removeprefix(CODE_FOLDER + "/")
    plain = posixpath.normpath(relative)
    if posixpath.isabs(relative) or plain in names or f"{plain}/__main__.py" in names:
        return
    scripts = sorted(name for name in names if is_script(name))
    wanted = posixpath.basename(relative)
    same_name = [name for name in scripts if posixpath.basename(name) == wanted]
    near = same_name or difflib.get_close_matches(plain, scripts, n=1)
    if near:
        hint = f"did you mean '{near[0]}'? It has: {_listed(scripts)}"
    else:
        hint = f"it has: {_listed(scripts)}" if scripts else "it has no scripts"
    raise SightlineError(f"The command runs '{script}', which is not in the package; {hint}.")


def _listed(scripts: Sequence[str]) -> str:
    more = len(scripts) - _SHOWN
    return ", ".join(scripts[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _example(names: Collection[str]) -> str:
    usual = f"{SCRIPTS_FOLDER}/train.py"
    scripts = sorted(name for name in names if is_script(name) and name.endswith(".py"))
    return usual if usual in names or not scripts else scripts[0]
