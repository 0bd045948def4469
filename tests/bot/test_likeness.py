"""Which chunks say the same."""

from bot import likeness

TEXT = (
    "Anything unused may be returned within 45 days. The refund takes five working days and goes to your card. "
    "Sale items may be exchanged. Gift cards are not refunded. Ask in any shop for the form, or print it at home."
)


def test_near_duplicates_are_alike_and_other_texts_are_not() -> None:
    edited = TEXT.replace("print it at home", "print it at the office")
    other = "The ferry to Quill Island leaves at 7:45 from the north pier and returns at noon, except on Sundays."
    one, two, three = likeness.signatures([TEXT, edited, other])
    assert likeness.alike(one, two)
    assert not likeness.alike(one, three)


def test_a_text_without_words_has_a_signature_and_none_is_like_nothing() -> None:
    empty, words = likeness.signatures(["", TEXT])
    assert not likeness.alike(empty, words)
    assert not likeness.alike(b"", b"")
