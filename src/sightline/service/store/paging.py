"""One page of a list."""

from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

T = TypeVar("T")

LARGEST_PAGE = 1000


@dataclass(frozen=True)
class Paging:
    """``page`` counts from 1."""

    page: int = 1
    size: int = 100


def fetch(session: Session, statement: "Select[T]", paging: Paging) -> tuple[int, list[T]]:
    """How many rows a statement has in all, and those of the page."""
    count = session.scalar(select(func.count()).select_from(statement.order_by(None).subquery())) or 0
    rows = session.scalars(statement.limit(paging.size).offset((paging.page - 1) * paging.size))
    return count, list(rows)
