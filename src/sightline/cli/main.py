"""`sightline`: finds the command, runs it, and turns what went wrong into one line and an exit code.

The first level is parsed here rather than by Typer, so that ``sightline --help`` imports nothing else.
"""

import os
import signal
import sys
import threading
from collections.abc import Sequence

from sightline import __version__
from sightline.cli.commands import COMMANDS, load, whole_app
from sightline.errors import SightlineError

_USAGE = "Usage: sightline [OPTIONS] COMMAND [ARGS]..."
_OPTIONS = {
    "--debug": "Show where an error came from (also SIGHTLINE_DEBUG=1).",
    "--version": "Show the version and exit.",
    "--install-completion": "Install completion for the current shell.",
    "--show-completion": "Show completion for the current shell, to copy or adapt it.",
    "-h, --help": "Show this message and exit.",
}
_EXIT_USAGE = 2
_EXIT_INTERRUPTED = 130
_EXIT_TERMINATED = 143


class _TerminatedError(BaseException):
    """SIGTERM: what is under way is undone on the way out, as for Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line ``arguments`` (by default the process's own) and exit.

    Exit codes: 0 done, 1 failed, 2 not understood, 130 interrupted, 143 terminated.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = os.environ.get("SIGHTLINE_DEBUG", "") not in ("", "0")
    _end_in_good_order_when_terminated()
    if words[:1] == ["--debug"]:
        debug, words = True, words[1:]
    try:
        code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader went away (`| head`). Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except _TerminatedError:
        code = _EXIT_TERMINATED
    except KeyboardInterrupt:
        print(file=sys.stderr)
        code = _EXIT_INTERRUPTED
    except (SightlineError, OSError, ModuleNotFoundError) as error:
        sentence = _sentence(error)
        if debug or sentence is None:
            raise
        print(f"error: {sentence}", file=sys.stderr)
        code = getattr(error, "exit_code", 1)
    sys.exit(code)


def _end_in_good_order_when_terminated() -> None:
    def terminated(_signal: int, _frame: object) -> None:
        raise _TerminatedError

    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, terminated)


def help_text() -> str:
    """What `sightline --help` prints."""
    width = max(map(len, [*COMMANDS, *_OPTIONS])) + 2
    lines = [_USAGE, "", "  Train vision models on data you are not allowed to see.", "", "Options:"]
    lines += [f"  {name:<{width}}{text}" for name, text in _OPTIONS.items()]
    lines += ["", "Commands:"]
    lines += [f"  {name:<{width}}{text}" for name, text in COMMANDS.items()]
    lines += ["", "Start with `sightline demo`. Each command explains itself: `sightline dataset --help`."]
    return "\n".join(lines)


def _run(words: list[str]) -> int:
    if "_SIGHTLINE_COMPLETE" in os.environ or (words and words[0].endswith("-completion")):
        whole_app()(args=words, prog_name="sightline")
    if not words or words[0] in ("-h", "--help"):
        print(help_text())
        return 0 if words else _EXIT_USAGE
    if words[0] == "--version":
        print(f"sightline {__version__}")
        return 0
    name = words[0]
    if name not in COMMANDS:
        return _not_understood(name)
    _leave_out_httpx_cli()
    try:
        load(name)(args=words[1:], prog_name=f"sightline {name}")
    except SystemExit as end:  # Typer ends every command with this
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _not_understood(name: str) -> int:
    from difflib import get_close_matches

    what = "option" if name.startswith("-") else "command"
    known = [word for option in _OPTIONS for word in option.split(", ")] if what == "option" else COMMANDS
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean '{close[0]}'?" if close else "`sightline --help` lists all."
    print(f"error: there is no {what} '{name}'; {hint}", file=sys.stderr)
    return _EXIT_USAGE


def _sentence(error: Exception) -> str | None:
    """What to tell of it; None where only its traceback helps."""
    if isinstance(error, ModuleNotFoundError):
        from sightline.cli.missing import missing_package

        return missing_package(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__


def _leave_out_httpx_cli() -> None:
    """Importing httpx also imports its own command line, with click, pygments and rich, if they are
    there: 0.15 s for every command that talks to the service. httpx does without where the import fails."""
    sys.modules.setdefault("httpx._main", None)  # pyright: ignore[reportArgumentType]


if __name__ == "__main__":
    main()
