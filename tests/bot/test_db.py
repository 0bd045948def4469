"""Tables, transactions, settings."""

import sqlite3
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from bot import db
from bot.errors import SettingsError
from bot.settings import load_settings


def test_the_migrations_make_the_tables_that_the_code_expects(engine: sa.Engine) -> None:
    with db.reading(engine) as connection:
        context = MigrationContext.configure(connection)
        differences = [change for change in compare_metadata(context, db.metadata) if "chunk_words" not in str(change)]
    assert differences == []


def test_writers_queue_instead_of_failing(engine: sa.Engine) -> None:
    def write(n: int) -> None:
        for m in range(10):
            with db.writing(engine) as connection:
                row = {"path": f"{n}-{m}", "title": "", "removed": False, "updated_at": db.now()}
                connection.execute(sa.insert(db.documents).values(**row))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(db.rows(engine, sa.select(db.documents.c.path))) == 40


def test_an_error_rolls_the_whole_transaction_back(engine: sa.Engine) -> None:
    with pytest.raises(ZeroDivisionError), db.writing(engine) as connection:
        row = {"path": "a", "title": "", "removed": False, "updated_at": db.now()}
        connection.execute(sa.insert(db.documents).values(**row))
        raise ZeroDivisionError
    assert db.rows(engine, sa.select(db.documents)) == []


def test_sqlite_is_opened_as_safely_as_its_version_allows(engine: sa.Engine) -> None:
    with db.reading(engine) as connection:
        journal = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    assert journal == ("wal" if sqlite3.sqlite_version_info >= db.SQLITE_WITH_SAFE_WAL else "truncate")


def test_a_wrong_setting_is_named_with_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTDESK_UI_PORT", "front door")
    with pytest.raises(SettingsError, match=r"FRONTDESK_UI_PORT is 'front door'.*Correct it"):
        load_settings()


def test_endpoints_of_a_running_stack_are_found(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/endpoints.env").write_text("FRONTDESK_CHROMA_URL=http://127.0.0.1:4711\n")
    assert load_settings(data_dir=tmp_path).chroma_url == "http://127.0.0.1:4711"
