"""Real parts for every test: a migrated database each, and, for those that ask, Redis, Chroma and the small model."""

import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot import db, indexes
from bot.desk import Desk, open_desk
from bot.settings import HOME, Settings, inherited_environment, load_settings
from tests.full_stack import wait_until

PATIENCE_SECONDS = 120


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """The weights that `make test` has pulled."""
    return load_settings().models.resolve()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """An empty, migrated records database."""
    engine = db.connect(f"sqlite:///{tmp_path / 'records.sqlite'}")
    db.migrate(engine)
    indexes.ensure(engine, load_settings())
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Settings]:
    """Redis, Chroma and the model server with the small model, started once by the real launcher."""
    data = tmp_path_factory.mktemp("servers")
    places = {"FRONTDESK_DATA_DIR": str(data), "FRONTDESK_MODELS_DIR": str(models_dir)}
    log = data / "output"
    with log.open("w") as output:
        launcher = subprocess.Popen(
            [sys.executable, "-m", "tests.workers.small_stack", "broker", "vectors", "model"],
            cwd=HOME,
            env=inherited_environment() | places,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(lambda: "is ready at" in log.read_text() or launcher.poll() is not None)
        assert launcher.poll() is None, log.read_text()
        yield load_settings(data_dir=data, models_dir=models_dir)
    finally:
        launcher.terminate()
        launcher.wait(PATIENCE_SECONDS)


@pytest.fixture
def desk(servers: Settings, tmp_path: Path) -> Iterator[Desk]:
    """A desk of its own on the shared servers: its own database, collection and inbox."""
    changes = {
        "data_dir": tmp_path,
        "inbox_dir": tmp_path / "inbox",
        "collection": f"test-{secrets.token_hex(6)}",
    }
    (tmp_path / "inbox").mkdir()
    desk = open_desk(servers.model_copy(update=changes))
    yield desk
    desk.database.dispose()


@pytest.fixture
def eventually() -> Callable[..., None]:
    """`wait_until`, for tests."""
    return wait_until
