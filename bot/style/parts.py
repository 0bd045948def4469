"""The parts of the style score: each is 0..1 with a sentence that says why, or nothing where the style asks for
nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot import sentences
from bot.style import wording
from bot.style.guide import Phrases, Range, Style

LOST_A_GRADE = 0.2  # of the reading level's part, for each grade too high
LOST_A_PHRASE = 0.5  # of the part, for each phrase that is to be avoided
LEAST_COMMON = 0.1  # of the words of a text belong to the commonest of its language


@dataclass(frozen=True)
class Part:
    """How well one wish was kept, 0..1, and why."""

    value: float
    why: str


Judge = Callable[[str, Style], Part | None]


def length(text: str, style: Style) -> Part | None:
    """1 within the range; 0 at nothing, and at twice the most."""
    if style.words == Range():
        return None
    count, least, most = len(wording.words(text)), style.words.least, style.words.most
    if count < least:
        return Part(count / least, f"{count} words, fewer than {least}.")
    if count > most:
        return Part(max(0.0, 2 - count / most), f"{count} words, more than {most}.")
    return Part(1.0, f"{count} words, within {least} to {most}.")


def greeting(text: str, style: Style) -> Part | None:
    """Whether the answer begins as the house wants it."""
    said = next((one for one in style.greeting.phrases if wording.begins(text, one)), "")
    return _wished(style.greeting, said, "begins")


def closing(text: str, style: Style) -> Part | None:
    """Whether the last sentence says goodbye as the house wants it."""
    last = (sentences.split(text) or [""])[-1]
    said = next((one for one in style.closing.phrases if wording.contains(last, one)), "")
    return _wished(style.closing, said, "ends")


def person(text: str, style: Style) -> Part | None:
    """The share of the wanted persons that occur."""
    if not style.person:
        return None
    missing = [one for one in style.person if not wording.PERSONS[one].search(text)]
    value = 1 - len(missing) / len(style.person)
    return Part(value, f"It does not say {_either(missing)}." if missing else f"It says {_either(style.person)}.")


def formality(text: str, style: Style) -> Part | None:
    """The share of contractions among what could be contracted, or of what was written out."""
    if style.formality == "any":
        return None
    short, long = wording.contractions(text)
    if not short + long:
        return Part(0.5, "Nothing in it tells whether it is formal.")
    value = (short if style.formality == "informal" else long) / (short + long)
    return Part(value, f"{short} contracted, {long} written out; it should be {style.formality}.")


def form(text: str, style: Style) -> Part | None:
    """Prose without list items, or lists with them."""
    if style.form == "any":
        return None
    listed = wording.items(text)
    right = (listed > 0) == (style.form == "lists")
    return Part(float(right), f"{listed} lines are items of a list; it should be {style.form}.")


def use(text: str, style: Style) -> Part | None:
    """Whether one of the phrases to use is used."""
    if not style.use:
        return None
    said = [one for one in style.use if wording.contains(text, one)]
    return Part(float(bool(said)), f"It uses {_either(said)}." if said else f"It uses none of {_either(style.use)}.")


def avoid(text: str, style: Style) -> Part | None:
    """Whether the phrases to avoid are avoided."""
    if not style.avoid:
        return None
    said = banned(text, style)
    return Part(
        max(0.0, 1 - LOST_A_PHRASE * len(said)),
        f"It uses {_either(said)}, which is to be avoided." if said else "Nothing in it is to be avoided.",
    )


def reading_level(text: str, style: Style) -> Part | None:
    """Whether a reader of the wanted school grade can read it."""
    if style.reading_level is None:
        return None
    grade = wording.grade(text, len(sentences.split(text)))
    over = max(0.0, grade - style.reading_level)
    return Part(max(0.0, 1 - LOST_A_GRADE * over), f"Grade {grade:.0f}; at most {style.reading_level:g} is wanted.")


def language(text: str, style: Style) -> Part | None:
    """Whether it is written in the wanted language, by its commonest words."""
    if not style.language:
        return None
    shares = wording.language_shares(text)
    likeliest = max(shares, key=lambda one: (shares[one], one == style.language))
    right = likeliest == style.language and (shares[likeliest] >= LEAST_COMMON or not any(shares.values()))
    return Part(float(right), f"It reads like {likeliest}; {style.language} is wanted.")


def banned(text: str, style: Style) -> list[str]:
    """The phrases to avoid that a text uses."""
    return [one for one in style.avoid if wording.contains(text, one)]


PARTS: dict[str, Judge] = {
    "length": length,
    "greeting": greeting,
    "closing": closing,
    "person": person,
    "formality": formality,
    "form": form,
    "use": use,
    "avoid": avoid,
    "reading level": reading_level,
    "language": language,
}


def _wished(asked: Phrases, said: str, does: str) -> Part | None:
    if asked.wish == "allowed":
        return None
    right = bool(said) == (asked.wish == "wanted")
    found = f"It {does} with “{said}”" if said else f"It {does} with none of {_either(asked.phrases)}"
    return Part(float(right), f"{found}, which is {asked.wish}.")


def _either(phrases: Sequence[str]) -> str:
    return ", ".join(f"“{one}”" for one in phrases)
