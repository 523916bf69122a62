"""Datasets, their variants, uploads that are under way, and recipes."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sightline.client.wire import ReleaseRule, Variant
from sightline.service.store.tables.accounts import UserRow
from sightline.service.store.tables.base import Table, UtcDateTime, new_id, words


class DatasetRow(Table):
    """A dataset and its owner's policy."""

    __tablename__ = "datasets"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    title: Mapped[str] = mapped_column(Text)
    overview: Mapped[str] = mapped_column(Text)
    owner_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    release_rule: Mapped[ReleaseRule] = mapped_column(words(ReleaseRule))
    allow_process_sandbox: Mapped[bool]
    max_release_bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    owner: Mapped[UserRow] = relationship()
    variants: Mapped[list["DatasetVariantRow"]] = relationship(viewonly=True)


class DatasetVariantRow(Table):
    """One version of one variant; its bytes are the object ``sha256``."""

    __tablename__ = "dataset_variants"
    __table_args__ = (UniqueConstraint("dataset_id", "variant", "version"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"))
    variant: Mapped[Variant] = mapped_column(words(Variant))
    version: Mapped[str] = mapped_column(String(50))
    item_count: Mapped[int]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    info: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class UploadRow(Table):
    """An announced archive. How much of it has arrived is the size of its file, not a column."""

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    variant: Mapped[Variant] = mapped_column(words(Variant))
    version: Mapped[str] = mapped_column(String(50))
    sha256: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RecipeRow(Table):
    """A named recipe; ``body`` names a dataset, or is a recipe as JSON text."""

    __tablename__ = "recipes"
    __table_args__ = (UniqueConstraint("owner_id", "name"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    owner_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(100))
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
