"""Answers in the making. Each is made in a thread of its own, because Streamlit starts a page anew at every click and
would otherwise break off the answer; a page that starts anew, or is reloaded, follows it from the beginning."""

import threading
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from bot.consult import consult
from bot.desk import Desk
from bot.errors import ModelBusy
from bot.records import Answer, Found, Sentence, Turn

MOST_AT_ONCE = 32
TICK_SECONDS = 0.5

Event: TypeAlias = Found | Sentence | Answer


class Consultation:
    """One question on its way to an answer."""

    def __init__(self, conversation_id: str, question: str, collection: str = "") -> None:
        self.conversation_id = conversation_id
        self.question = question
        self.collection = collection
        self.error: Exception | None = None
        self._events: list[Event] = []
        self._ended = False
        self._news = threading.Condition()

    def follow(self) -> Iterator[Event | None]:
        """Every event from the first on, as it happens, and None now and then meanwhile. Raises what went wrong."""
        seen = 0
        while True:
            with self._news:
                if seen == len(self._events) and not self._ended:
                    self._news.wait(TICK_SECONDS)
                fresh, ended = self._events[seen:], self._ended
            seen += len(fresh)
            yield from fresh
            if ended:
                break
            yield None
        if self.error:
            raise self.error

    def make(self, desk: Desk, history: Sequence[Turn]) -> None:
        """Do the work and let the followers know."""
        try:
            for event in consult(desk, self.question, history, self.conversation_id, collection=self.collection):
                with self._news:
                    self._events.append(event)
                    self._news.notify_all()
        except Exception as error:  # noqa: BLE001 - it is raised again in the page that follows
            self.error = error
        finally:
            with self._news:
                self._ended = True
                self._news.notify_all()


class Consultations:
    """The consultations of this process: one at a time for each customer."""

    def __init__(self) -> None:
        self._running: dict[str, Consultation] = {}
        self._lock = threading.Lock()

    def running(self, customer: str) -> Consultation | None:
        """The customer's question that is being answered now."""
        with self._lock:
            return self._running.get(customer)

    def start(
        self,
        desk: Desk,
        customer: str,
        conversation_id: str,
        question: str,
        history: Sequence[Turn],
        collection: str = "",
    ) -> Consultation:
        """Begin to answer a question, from the documents of one folder where a `collection` is named, unless one of
        the customer's is being answered already."""
        with self._lock:
            if customer in self._running:
                return self._running[customer]
            if len(self._running) >= MOST_AT_ONCE:
                raise ModelBusy("Many people are asking at once; please ask again in a moment.")
            consultation = self._running[customer] = Consultation(conversation_id, question, collection)
        threading.Thread(target=self._work, args=(desk, customer, consultation, history), daemon=True).start()
        return consultation

    def _work(self, desk: Desk, customer: str, consultation: Consultation, history: Sequence[Turn]) -> None:
        try:
            consultation.make(desk, history)
        finally:
            with self._lock:
                del self._running[customer]
