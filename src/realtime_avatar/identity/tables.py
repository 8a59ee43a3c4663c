"""The tables. `migrations` makes them; a test holds the two against each other."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class Utc(TypeDecorator[datetime]):
    """An aware time in UTC; SQLite, which has no such type, stores it without its zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value and not value.tzinfo else value


Json = JSON().with_variant(JSONB(), "postgresql")
Key = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts up in INTEGER only


class Base(DeclarativeBase):
    """Of all tables."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {float: Float()}
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class ConversationRow(Base):
    """One `Heading`."""

    __tablename__ = "conversations"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    owner: Mapped[str] = mapped_column(Text, index=True)
    avatar: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text)
    started: Mapped[datetime] = mapped_column(Utc)
    updated: Mapped[datetime] = mapped_column(Utc, index=True)


class TurnRow(Base):
    """One `Turn`. `words`: what `identity.words` finds in what was said and heard."""

    __tablename__ = "turns"
    __table_args__ = (UniqueConstraint("conversation", "number"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    conversation: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)
    said: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Utc)
    language: Mapped[str] = mapped_column(Text)
    heard: Mapped[str] = mapped_column(Text)
    unheard: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    problem: Mapped[str] = mapped_column(Text)
    began_s: Mapped[float]
    asked_s: Mapped[float]
    audible_s: Mapped[float | None]
    ended_s: Mapped[float | None]
    stages: Mapped[dict[str, float]] = mapped_column(Json)
    sources: Mapped[list[dict[str, str]]] = mapped_column(Json, server_default="[]")
    timeline: Mapped[list[tuple[float, str]]] = mapped_column(Json)
    words: Mapped[str] = mapped_column(Text, server_default="")
