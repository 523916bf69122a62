"""How commands print: tables for people, plain text for pipes, JSON for programs, bars for waiting."""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sightline.errors import SightlineError

if TYPE_CHECKING:
    from pydantic import BaseModel

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\-_])")


def say(text: str = "") -> None:
    """One line of result, to standard output."""
    typer.echo(text)


def note(text: str) -> None:
    """One line about what is going on, to standard error, so that it never ends up in a result."""
    typer.echo(text, err=True)


def print_json(value: "BaseModel | Sequence[BaseModel] | Any") -> None:
    """``value`` as indented JSON."""
    typer.echo(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """A table on a terminal, aligned columns in a pipe; ``empty`` (to standard error) without rows."""
    texts = [[_cell(value) for value in row] for row in rows]
    if not texts:
        note(empty)
        return
    if sys.stdout.isatty():
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for column in columns:
            table.add_column(column, no_wrap=column in ("id", "state", "run"))  # whole, to be copied
        for row in texts:
            table.add_row(*(Text(text, overflow="fold") for text in row))
        Console().print(table)
        return
    widths = [max(map(len, column)) for column in zip(columns, *texts, strict=True)]
    for row in [columns, *texts]:
        say("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """``name  value`` lines, values aligned; fields without a value are left out."""
    shown = [(name, _cell(value)) for name, value in fields if value not in (None, "")]
    width = max((len(name) for name, _ in shown), default=0)
    for name, text in shown:
        say(f"{name:<{width}}  {text}")


def local_time(moment: datetime | None) -> str:
    """A UTC time in the reader's own time zone, to the second."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return local_time(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable(str(value))


def printable(text: str) -> str:
    """``text`` without colours, control characters and what a progress bar has overwritten: names, reasons
    and logs come from other people's programs, and must not steer the reader's terminal."""
    text = _ESCAPES.sub("", text).rstrip("\r").rpartition("\r")[2]
    return "".join(c if c.isprintable() or c == "\t" else "�" for c in text)


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def confirm(question: str, yes: bool) -> None:
    """Ask before something is lost for good.

    Raises:
        SightlineError: there is nobody to ask and ``yes`` was not given, or the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise SightlineError(f"{question} Nobody is there to answer; add --yes to do it.")
    if not typer.confirm(question):
        raise SightlineError("nothing was removed.")
