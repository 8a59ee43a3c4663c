"""Conversations and their turns."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None


def upgrade() -> None:
    json = sa.JSON().with_variant(JSONB(), "postgresql")
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    time = sa.DateTime(timezone=True)
    op.create_table(
        "conversations",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("avatar", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("started", time, nullable=False),
        sa.Column("updated", time, nullable=False),
    )
    op.create_index("ix_conversations_owner", "conversations", ["owner"])
    op.create_index("ix_conversations_updated", "conversations", ["updated"])
    op.create_table(
        "turns",
        sa.Column("id", key, primary_key=True),
        sa.Column(
            "conversation",
            sa.Text(),
            sa.ForeignKey("conversations.id", name="fk_turns_conversation", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("at", time, nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("heard", sa.Text(), nullable=False),
        sa.Column("unheard", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("began_s", sa.Float(), nullable=False),
        sa.Column("asked_s", sa.Float(), nullable=False),
        sa.Column("audible_s", sa.Float()),
        sa.Column("ended_s", sa.Float()),
        sa.Column("stages", json, nullable=False),
        sa.Column("timeline", json, nullable=False),
        sa.UniqueConstraint("conversation", "number", name="uq_turns_conversation_number"),
    )
