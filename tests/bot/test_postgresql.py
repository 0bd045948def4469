"""The records on PostgreSQL: the same tables, the same clock, and its own lexical leg."""

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot import db, documents, indexes, jobs, ledger, lexical
from bot.records import Chunk, Indexed, Sighting
from bot.settings import load_settings

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
FOUND = shutil.which("initdb") or (str(PROGRAMS[-1]) if PROGRAMS else None)

pytestmark = pytest.mark.skipif(FOUND is None, reason="no PostgreSQL server here; Debian's package is `postgresql`")


@pytest.fixture(scope="module")
def postgresql() -> Iterator[sa.Engine]:
    """A PostgreSQL of its own. Its server refuses to run as root, so root runs it as the user `postgres`."""
    user = "postgres" if Path.home() == Path("/root") else None
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        data = Path(folder) / "data"
        if user:
            shutil.chown(folder, user)
        programs = Path(str(FOUND)).parent
        initialise = [programs / "initdb", "-D", data, "-U", "frontdesk", "--auth=trust"]
        subprocess.run(initialise, user=user, check=True, capture_output=True, cwd=folder)
        options = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off"
        free.close()
        control = [programs / "pg_ctl", "-D", data, "-w", "-o", options, "-l", data / "log"]
        subprocess.run([*control, "start"], user=user, check=True, capture_output=True, cwd=folder)
        engine = db.connect(f"postgresql+psycopg://frontdesk@127.0.0.1:{port}/postgres")
        try:
            db.migrate(engine)
            indexes.ensure(engine, load_settings())
            yield engine
        finally:
            engine.dispose()
            subprocess.run(
                [*control, "-m", "immediate", "stop"], user=user, check=True, capture_output=True, cwd=folder
            )


def test_a_document_is_found_by_its_words_only_while_it_is_active(postgresql: sa.Engine) -> None:
    assert ledger.observe(postgresql, [Sighting("ferries.md", "digest", 10, 0.0)]) == {jobs.FAST}
    (job,) = jobs.claim(postgresql, jobs.FAST)
    version_id = int(job.subject)
    chunk = Chunk(f"v{version_id}-0", version_id, 0, "Ferries", None, "The ferry leaves the north pier at 7:45.")
    ledger.store(postgresql, [chunk])
    assert lexical.search(postgresql, "When does the ferry leave?", 5) == []
    assert ledger.activate(postgresql, [Indexed(job, "Ferries", None, 1, (), {})]) == []
    assert [found for found, _ in lexical.search(postgresql, "When do ferries leave?", 5)] == [chunk.chunk_id]
    assert lexical.frequencies(postgresql, ["ferry", "train"]) == ({"ferry": 1, "train": 0}, 1)
    ledger.tombstone(postgresql, ["ferries.md"])
    assert lexical.search(postgresql, "When do ferries leave?", 5) == []
    assert documents.stale_versions(postgresql) == [version_id]
    ledger.erase(postgresql, [version_id], "gone")
    assert documents.chunks_of(postgresql, version_id) == []


def test_leases_are_kept_by_its_clock(postgresql: sa.Engine) -> None:
    with db.writing(postgresql) as connection:
        jobs.enqueue(connection, "train", "rows", jobs.GPU)
    assert len(jobs.claim(postgresql, jobs.GPU)) == 1
    assert jobs.claim(postgresql, jobs.GPU) == []
    assert jobs.overdue(postgresql) == []
