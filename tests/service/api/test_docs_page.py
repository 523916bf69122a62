import re
from html.parser import HTMLParser

from tests.service.world import World


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        values = dict(attrs)
        self.ids.add(values.get("id") or "")
        self.links |= {value for name in ("href", "src") if (value := values.get(name))}


def test_the_page_shows_every_operation_and_needs_nothing_else(world: World) -> None:
    page = world.nobody.get("/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    schema = world.nobody.ok("GET", "/openapi.json")
    for path in schema["paths"]:
        assert path in page.text
    links = Links()
    links.feed(page.text)
    assert "script" not in links.tags
    assert not re.search(r"https?://", page.text)
    local = {link for link in links.links if link.startswith("#")}
    assert links.links - local == {"/openapi.json"}
    assert {link[1:] for link in local} <= links.ids


def test_every_operation_says_what_it_does(world: World) -> None:
    for path, operations in world.nobody.ok("GET", "/openapi.json")["paths"].items():
        for method, operation in operations.items():
            assert operation.get("description"), f"{method} {path}"
