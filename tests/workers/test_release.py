"""A version that passed the gate speaks to all at once, or to some first where there are enough to judge it by."""

import json
import threading
from collections.abc import Iterator
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot import adapters, db, feedback, indexes, jobs, preferences
from bot.desk import Desk
from bot.knowledge import Collections
from bot.settings import Settings
from tests.bot.test_feedback import an_answer
from tests.bot.test_watching_voices import talk
from workers import sweeping
from workers.style import publish
from workers.style.gate import Check, Verdict

GOOD = Verdict((Check("Token F1", 0.5, 0.5, True, "higher"),), ())
BAD = Verdict((Check("Token F1", 0.5, 0.4, False, "higher"),), ())


class ModelServer(BaseHTTPRequestHandler):
    """Serves every adapter that it is asked to."""

    def do_GET(self) -> None:
        self._answer({"data": []})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer({})

    def _answer(self, said: dict[str, Any]) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(said).encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    web = ThreadingHTTPServer(("127.0.0.1", 0), ModelServer)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    settings = Settings(data_dir=tmp_path, model_url=f"http://127.0.0.1:{web.server_port}")
    engine = db.connect(settings.database)
    db.migrate(engine)
    indexes.ensure(engine, settings)
    yield Desk(settings, engine, Collections("", lambda _: pytest.fail("nothing is embedded")))
    engine.dispose()
    web.shutdown()
    web.server_close()


def publish_one(desk: Desk, verdict: Verdict) -> str:
    """A run that ends with this verdict, having learned from one row."""
    row = feedback.rate(desk.database, an_answer("learned"), 1)
    feedback.approve(desk.database, row, "ann", "Happy to help: you have 45 days [1].")
    name = adapters.next_name(desk.database)
    with db.writing(desk.database) as connection:
        jobs.enqueue(connection, "train", name, jobs.GPU)
        adapters.register(connection, name, "/x", base="b", meta={}, report={}, state="candidate")
    (job,) = jobs.claim(desk.database, jobs.GPU)
    publish.decide(desk, job, adapters.find(desk.database, name), verdict, feedback.trainable(desk.database))
    return name


def test_without_traffic_it_speaks_to_all_at_once(desk: Desk) -> None:
    name = publish_one(desk, GOOD)
    assert adapters.find(desk.database, name).state == "active"
    assert adapters.history(desk.database)[0].reason == "It passed every check."


def test_with_traffic_some_conversations_hear_it_first(desk: Desk) -> None:
    talk(desk.database, None, 100)
    name = publish_one(desk, GOOD)
    assert adapters.find(desk.database, name).state == "canary"
    assert adapters.active(desk.database) is None
    assert "20% of the conversations hear it first" in adapters.history(desk.database)[0].reason
    assert feedback.count_new(desk.database) == 0


def test_an_operator_can_do_without_canaries(desk: Desk) -> None:
    talk(desk.database, None, 100)
    preferences.put(desk.database, preferences.CANARY_SHARE, 0, "ann")
    assert adapters.find(desk.database, publish_one(desk, GOOD)).state == "active"


def test_a_rejected_one_says_what_it_did_not_pass_and_what_it_learned_is_known_all_the_same(desk: Desk) -> None:
    name = publish_one(desk, BAD)
    assert adapters.history(desk.database)[0].reason == "It did not pass: Token F1."
    [learned] = db.rows(desk.database, sa.select(db.learned_rows))
    assert learned.adapter == name
    assert feedback.count_new(desk.database) == 1


def test_the_schedule_rolls_back_by_itself_and_no_second_look_rolls_back_further(desk: Desk) -> None:
    talk(desk.database, None, 60)
    preferences.put(desk.database, preferences.CANARY_SHARE, 0, "ann")
    publish_one(desk, GOOD)
    talk(desk.database, "style-v1", 20, abstained=True)
    sweeping.watch_voices(desk)
    sweeping.watch_voices(desk)
    assert adapters.active(desk.database) is None
    assert [asdict(one)["step"] for one in adapters.history(desk.database)] == ["rolled back", "active", "trained"]
