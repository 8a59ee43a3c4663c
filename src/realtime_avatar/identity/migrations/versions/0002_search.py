"""Full-text search: the words of each turn, indexed by what each database has for it."""

import sqlalchemy as sa
from alembic import op

from realtime_avatar.identity.words import words

revision = "0002"
down_revision = "0001"

_SQLITE = (
    "CREATE VIRTUAL TABLE turns_words USING fts5(words, content='turns', content_rowid='id')",
    "INSERT INTO turns_words(turns_words) VALUES ('rebuild')",
    "CREATE TRIGGER turns_added AFTER INSERT ON turns BEGIN"
    " INSERT INTO turns_words(rowid, words) VALUES (new.id, new.words); END",
    "CREATE TRIGGER turns_removed AFTER DELETE ON turns BEGIN"
    " INSERT INTO turns_words(turns_words, rowid, words) VALUES ('delete', old.id, old.words); END",
    "CREATE TRIGGER turns_changed AFTER UPDATE ON turns WHEN old.words IS NOT new.words BEGIN"
    " INSERT INTO turns_words(turns_words, rowid, words) VALUES ('delete', old.id, old.words);"
    " INSERT INTO turns_words(rowid, words) VALUES (new.id, new.words); END",
)


def upgrade() -> None:
    op.add_column("turns", sa.Column("words", sa.Text(), nullable=False, server_default=""))
    turns = sa.table("turns", *(sa.column(name) for name in ("id", "said", "heard", "words")))
    connection = op.get_bind()
    rows = sa.select(turns.c.id, turns.c.said, turns.c.heard)
    for key, said, heard in connection.execute(rows).all():
        found = " ".join(words(f"{said}\n{heard}"))
        connection.execute(sa.update(turns).where(turns.c.id == key).values(words=found))
    if connection.dialect.name == "sqlite":
        for statement in _SQLITE:
            op.execute(statement)
    else:
        op.execute("CREATE INDEX ix_turns_words ON turns USING gin (to_tsvector('simple', words))")
