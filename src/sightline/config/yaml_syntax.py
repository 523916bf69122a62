"""What PyYAML says of a text that is not YAML, in words that help."""

import re

import yaml

from sightline.config.source import Source
from sightline.errors import SightlineError

_MEANINGS = (
    ("cannot start any token", "{character} cannot stand here; {advice}"),
    (
        "mapping values are not allowed",
        "a ':' cannot stand here; quote the text, or check the indentation",
    ),
    ("could not find expected ':'", "this is not 'key: value'; add the ':', or put longer text in quotes"),
    ("expected <block end>", "the indentation does not fit the lines above"),
    ("expected a single document", "only one document fits in a file; remove the '---'"),
    ("unexpected end of stream", "the quotes {opened} are not closed; close them"),
    ("expected ',' or", "the bracket {opened} is not closed, or a ',' is missing"),
    ("found '<stream end>'", "the bracket {opened} is not closed; close it"),
    ("found duplicate anchor", "this anchor is defined twice; rename one"),
)


def syntax_error(error: yaml.MarkedYAMLError, source: Source) -> SightlineError:
    """The error for a text that PyYAML could not take in, with line and column (from 1)."""
    mark, context = error.problem_mark or error.context_mark, error.context_mark
    place = source.at(mark.line + 1, mark.column + 1) if mark else source.name
    problem = " ".join((error.problem or "").split())
    told = f"{error.context} {problem}"
    found = re.search(r"found character '(.*?)'", told)
    is_tab = found is not None and found[1] == "\\t"
    words = {
        "character": "a tab" if is_tab else f"'{found[1]}'" if found else "",
        "advice": "indent with spaces" if is_tab else "put the text in quotes",
        "opened": f"opened in line {context.line + 1}" if context and source.has_lines else "opened here",
    }
    meanings = (meaning.format(**words) for phrase, meaning in _MEANINGS if phrase in told)
    return SightlineError(f"{place}: {next(meanings, f'not valid YAML: {problem}')}.")
