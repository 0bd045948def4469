"""What a search finds: by meaning, words and phrases, only what answers today, and from more than one place."""

import socket
import string
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import sqlalchemy as sa
import uvicorn
from sentence_transformers import CrossEncoder
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

from bot import db, ledger, lexical, model, retrieve
from bot.desk import Desk, open_desk
from bot.errors import ModelUnavailable
from bot.revision import revision, unseen_versions
from bot.serving.api import create_app
from bot.serving.embeddings import Embedder
from bot.serving.engine import Engine
from bot.serving.rerank import rerank_route
from bot.serving.weights import locate
from tests.ingest.given_inbox import FERRY, drop, found, take_in

OTHER_FERRY = "# Boats\n\nThe ferry to Quill Island leaves at 9:15 from the south pier.\n"
QUESTION = "When does the ferry to Quill Island leave?"


def expire(desk: Desk, path: str) -> None:
    """Let a document's last day have passed, without any other change to it."""
    chosen = sa.update(db.documents).where(db.documents.c.path == path)
    with db.writing(desk.database) as connection:
        connection.execute(chosen.values(valid_until=db.now() - 1))


# --- only what answers today ----------------------------------------------------------------------------------------


def test_a_removed_document_is_gone_from_a_question_asked_before(desk: Desk) -> None:
    take_in(desk, ferries=FERRY, boats=OTHER_FERRY)
    assert "7:45" in found(desk, QUESTION) and "7:45" in found(desk, QUESTION)
    ledger.tombstone(desk.database, ["ferries.md"])
    assert "7:45" not in found(desk, QUESTION)
    assert "9:15" in found(desk, QUESTION)


def test_a_changed_document_answers_a_question_asked_before_in_its_new_words(desk: Desk) -> None:
    take_in(desk, ferries=FERRY)
    assert "7:45" in found(desk, QUESTION)
    take_in(desk, ferries=FERRY.replace("7:45", "8:30"))
    assert "8:30" in found(desk, QUESTION) and "7:45" not in found(desk, QUESTION)


def test_a_document_that_expires_is_gone_although_nothing_else_changed(desk: Desk) -> None:
    take_in(desk, ferries=FERRY, boats=OTHER_FERRY)
    assert "7:45" in found(desk, QUESTION)
    expire(desk, "ferries.md")
    assert "7:45" not in found(desk, QUESTION)


def test_expired_documents_take_no_places_in_either_leg(desk: Desk) -> None:
    take_in(desk, ferries=FERRY, boats=OTHER_FERRY)
    expire(desk, "ferries.md")
    (hidden,) = unseen_versions(desk.database)
    vector = desk.embeddings.embed_query("The ferry to Quill Island leaves at 7:45 from the north pier.")
    ((nearest,),) = desk.knowledge.nearest([vector], 1, without=[hidden])
    ((best, _),) = lexical.search(desk.database, "ferry 7:45 north pier", 1)
    assert nearest[0] == best
    assert not best.startswith(f"v{hidden}-")


def test_a_collection_limits_all_legs_and_its_questions_are_kept_apart(desk: Desk) -> None:
    drop(desk, "island/boats.md", OTHER_FERRY)
    take_in(desk, ferries=FERRY)
    assert "7:45" in found(desk, QUESTION)
    assert "7:45" not in found(desk, QUESTION, collection="island")
    assert "9:15" in found(desk, QUESTION, collection="island")


def test_the_revision_is_the_same_until_a_document_changes(desk: Desk) -> None:
    take_in(desk, ferries=FERRY)
    before = revision(desk.database)
    found(desk, QUESTION)
    assert revision(desk.database) == before
    ledger.move(desk.database, "ferries.md", "ships.md")
    assert revision(desk.database) != before
    assert {passage.document for passage in retrieve.search(desk, QUESTION, 5)} == {"ships.md"}


# --- from more than one place ---------------------------------------------------------------------------------------


def test_one_long_section_does_not_take_all_places(desk: Desk) -> None:
    desk = open_desk(desk.settings.model_copy(update={"chunk_tokens": 40}))
    lines = [f"The harbour ferry number {n} leaves for the island at {n} in the morning and returns." for n in range(9)]
    take_in(desk, long="# Harbour ferries\n\n" + "\n\n".join(lines), boats=OTHER_FERRY, ferries=FERRY)
    passages = retrieve.search(desk, "When does the harbour ferry leave for the island?", 5)
    assert 2 <= [passage.document for passage in passages].count("long.md") <= 3
    assert {passage.document for passage in passages} == {"long.md", "boats.md", "ferries.md"}


def test_what_two_documents_say_in_the_same_words_is_ranked_twice_and_told_once(desk: Desk) -> None:
    take_in(desk, first=FERRY, second=FERRY, boats=OTHER_FERRY)
    ranked = [passage.document for passage in retrieve.search(desk, QUESTION, 3)]
    told = [document.metadata["passage"].document for document in retrieve.PassageRetriever(desk=desk).invoke(QUESTION)]
    assert sorted(ranked) == ["boats.md", "first.md", "second.md"]
    assert len(told) == 2 and "boats.md" in told


def test_a_title_is_searched_by_meaning_and_by_words(desk: Desk) -> None:
    take_in(desk, **{name: f"# {name} Hotel\n\nCheck-in starts at three.\n" for name in ("Grant", "Tilden")})
    for leg in ("dense", "lexical"):
        best, *_ = retrieve.search(desk, "When can I check in at the Tilden Hotel?", 2, legs=(leg,))
        assert best.title == "Tilden Hotel"


def test_words_that_follow_each_other_count_together(desk: Desk) -> None:
    said = "The bill of the bird is long. Send it the power."
    take_in(desk, power="# Notes\n\nPay the power bill by the third.\n", bird=f"# Notes\n\n{said}\n")
    ((best, _),) = lexical.search(desk.database, "What of my power bill?", 5, form="phrases")
    (passage,) = [one for one in retrieve.search(desk, "What of my power bill?", 5) if one.chunk_id == best]
    assert passage.document == "power.md"


# --- what is kept ---------------------------------------------------------------------------------------------------


def test_a_question_is_embedded_once_however_often_it_is_needed(desk: Desk, embeddings_of: "Counting") -> None:
    embedded = model._Embeddings(desk.settings, embeddings_of, model._Vectors(2))  # type: ignore[arg-type]  # a fake
    first, second = embedded.embed_query("ferry"), embedded.embed_documents(["ferry", "boat", "ferry"])
    assert embeddings_of.texts == ["ferry", "boat"]
    assert second == [first, [4.0], first]
    embedded.embed_documents(["pier", "boat", "ferry"])
    assert embeddings_of.texts == ["ferry", "boat", "pier"]


class Counting:
    """An embeddings client that notes what it is asked; a text's vector is its length."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One number a text."""
        self.texts += texts
        return [[float(len(text))] for text in texts]


@pytest.fixture
def embeddings_of() -> Counting:
    return Counting()


# --- the reranker ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny cross-encoder with random weights."""
    folder = tmp_path_factory.mktemp("cross-encoder")
    letters = string.ascii_lowercase + string.digits
    words = [*letters, *":.?>", *(f"##{letter}" for letter in letters)]
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]))
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=128).save_pretrained(folder)
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = BertConfig(vocab_size=5 + len(words), num_labels=1, initializer_range=1.0, **size)
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture
def reranking(desk: Desk, cross_encoder: Path) -> Iterator[Desk]:
    """A desk whose model server has the cross-encoder."""

    class NoChat:
        waiting = 0

    name = desk.settings.embedding_model
    embedder = Embedder.load(name, locate(name, desk.settings), desk.settings.models)
    settings = desk.settings.model_copy(update={"reranker": str(cross_encoder)})
    key = settings.model_api_key.get_secret_value()
    app = create_app(cast(Engine, NoChat()), {name: embedder}, key, [rerank_route(settings)])
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    yield open_desk(settings.model_copy(update={"model_url": url}))
    server.should_exit = True
    thread.join()


def test_a_cross_encoder_decides_the_order_where_the_settings_name_one(reranking: Desk, cross_encoder: Path) -> None:
    take_in(reranking, ferries=FERRY, boats=OTHER_FERRY, cats="# Cats\n\nThe ferry cat sleeps all day.\n")
    passages = retrieve.search(reranking, QUESTION, 3)
    texts = [f"{passage.title} > {passage.heading}\n{passage.text}" for passage in passages]
    expected = CrossEncoder(str(cross_encoder)).predict([(QUESTION, text) for text in texts])
    assert len(passages) == 3
    assert [passage.score for passage in passages] == pytest.approx(sorted(expected.tolist(), reverse=True), abs=1e-3)


def test_a_reranker_that_the_server_lacks_is_named(desk: Desk) -> None:
    with pytest.raises(ModelUnavailable, match="rerank"):
        model.rerank(desk.settings.model_copy(update={"reranker": "none-such"}), QUESTION, ["A ferry."])
