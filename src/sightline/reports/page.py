"""A report as one HTML file that opens without a server and asks nobody for anything."""

import base64
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

import numpy as np
from PIL import Image

from sightline.reports.findings import Chart, Findings, Table
from sightline.reports.pictures import SamplePicture

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Nothing is fetched and no script runs, whatever may stand in the dataset."""
_JPEG_QUALITY = 85
_HEADLINE = 5
_UNKNOWN = "-"


@dataclass(frozen=True)
class Samples:
    """Pictures of samples, under a title; ``name`` is that of their file, without an ending."""

    name: str
    title: str
    note: str
    pictures: Sequence[SamplePicture]


@dataclass(frozen=True)
class Facts:
    """Names and values about something; ``text``, where there is one, is folded away below them."""

    title: str
    values: Mapping[str, object]
    text: tuple[str, str] | None = None
    """A heading and what is below it."""


@dataclass(frozen=True)
class Page:
    """What stands on the page."""

    title: str
    subtitle: str
    findings: Findings
    measured: Mapping[str, float]
    charts: Sequence[Chart]
    """Beside those of the findings."""
    samples: Sequence[Samples]
    facts: Sequence[Facts]


def page_html(page: Page) -> str:
    """The page as text."""
    style = "".join(
        files(package).joinpath(name).read_text("utf-8")
        for package, name in (("sightline.data.look", "theme.css"), ("sightline.reports", "report.css"))
    )
    first, *further = page.findings.tables
    parts = [
        _headline(page),
        f'<div class="overview">{_charts(page.findings.charts)}{_table(first)}</div>',
        *map(_table, further),
        *map(_samples, page.samples),
        _charts(page.charts),
        *map(_facts, page.facts),
        _all_numbers(page),
    ]
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{escape(page.title)}</title><style>{style}</style></head><body>
<header><h1>{escape(page.title)}</h1><p>{escape(page.subtitle)}</p></header>
<main>{"".join(parts)}</main></body></html>
"""


def _headline(page: Page) -> str:
    numbers = page.findings.numbers | {
        name: value for name, value in page.measured.items() if name in page.findings.numbers
    }
    chosen = [name for name in page.findings.headline if name in numbers][:_HEADLINE]
    if "loss" in page.measured:
        chosen.append("loss")
        numbers["loss"] = page.measured["loss"]
    cards = "".join(
        f'<div class="card"><span>{escape(_spoken(name))}</span><b>{_number(numbers[name])}</b></div>'
        for name in chosen
    )
    return f'<section class="cards">{cards}</section>'


def _charts(charts: Sequence[Chart]) -> str:
    figures = "".join(
        f'<figure><img alt="{escape(chart.title)}" src="{_data_uri("png", chart.png)}" '
        f'style="max-width:{_shown_width(chart.png)}px">'
        f"<figcaption>{escape(chart.note)}</figcaption></figure>"
        for chart in charts
    )
    return f'<section class="charts">{figures}</section>' if charts else ""


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in table.columns)
    rows = "".join(
        f"<tr><th>{escape(name)}</th>{''.join(map(_cell, numbers))}</tr>" for name, numbers in table.rows
    )
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return (
        f"<section><h2>{escape(table.title)}</h2><div class='wide'><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>{note}</section>"
    )


def _cell(value: int | float | None) -> str:
    if value is None:
        return f'<td class="none">{_UNKNOWN}</td>'
    if isinstance(value, int):
        return f"<td>{value:,}</td>"
    return f'<td class="share" style="--p:{min(max(value, 0), 1):.1%}">{value:.3f}</td>'


def _samples(samples: Samples) -> str:
    figures = "".join(map(_sample, samples.pictures))
    return (
        f"<section><h2>{escape(samples.title)}</h2><p class='note'>{escape(samples.note)}</p>"
        f'<div class="samples">{figures}</div></section>'
    )


def _sample(picture: SamplePicture) -> str:
    panels = "".join(
        f'<div><img alt="{escape(name or picture.file_name)}" src="{_data_uri("jpeg", _jpeg(pixels))}">'
        f"{f'<span>{escape(name)}</span>' if name else ''}</div>"
        for name, pixels in picture.panels
    )
    return (
        f'<figure><div class="panels">{panels}</div><figcaption><b>{escape(picture.caption)}</b>'
        f'<span title="{escape(picture.file_name)}">{escape(picture.file_name)}</span></figcaption></figure>'
    )


def _facts(facts: Facts) -> str:
    text = ""
    if facts.text is not None:
        heading, content = facts.text
        text = f"<details><summary>{escape(heading)}</summary><pre>{escape(content)}</pre></details>"
    return f"<section><h2>{escape(facts.title)}</h2>{_definitions(facts.values.items())}{text}</section>"


def _all_numbers(page: Page) -> str:
    numbers = page.findings.numbers | dict(page.measured)
    rows = _definitions((name, _number(value)) for name, value in numbers.items())
    return f"<section><details><summary>All numbers</summary>{rows}</details></section>"


def _definitions(values: Iterable[tuple[str, object]]) -> str:
    rows = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>"
        for name, value in values
        if value not in (None, "")
    )
    return f"<dl>{rows}</dl>"


def _spoken(name: str) -> str:
    words = {"map": "mAP", "ap50": "AP50", "iou": "IoU", "f1": "F1", "dice": "Dice"}
    return " ".join(words.get(word, word) for word in name.split("_"))


def _number(value: float) -> str:
    if not math.isfinite(value):
        return _UNKNOWN if math.isnan(value) else str(value)
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:,.0f}"


def _jpeg(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=_JPEG_QUALITY)
    return stream.getvalue()


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _shown_width(content: bytes) -> int:
    """Of a chart in pixels of the page: figures have 150 dots an inch, of which a page shows 90."""
    width = Image.open(io.BytesIO(content)).width
    return width if width < 800 else round(width * 0.6)
