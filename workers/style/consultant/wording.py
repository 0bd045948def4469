"""From a template to a sentence: alternatives, drawn values, articles and capitals, and how customers type."""

import random
import re
from collections.abc import Callable, Mapping

_ALTERNATIVES = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")
_ARTICLE = re.compile(r"\b([Aa]) (?=(?:[aeio]|u(?!ni|se)|hour|X-)(?!ne[- ]))", re.I)
_START = re.compile(r"([.?!] )([a-z])")

WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
FIRST = (
    "Ada Bela Carla Dario Edda Femi Greta Hugo Ines Jonas Kira Luca Mina Nils Olga Paul Rosa Sami Tove Ugo Vera Wim "
    "Yara Zeno Amara Boris Celia Dina Emil Freya Goran Hana Igor Jana Kofi Lena Marek Nadia Oskar Priya"
).split()
BEGINNINGS = (
    "Ald Bram Cor Dun Els Fen Gar Hol Ist Jor Kel Lor Mar Nor Ock Pem Quil Ros Sten Tar Ulv Ves Wen Yar Zel Ash Birk "
    "Cran Drum Eld Farn Glen Hart Ing Kest Lang Mill Nev Or Pen Rav Sil Thorn Und Var Whit"
).split()
ENDINGS = (
    "well ford wick ham ton stead berg mont low by dale mere holt bury gate shaw more land field worth lund ander "
    "ovic etti sen kamp"
).split()
STUFFS = "oak steel cotton glass bamboo leather ceramic aluminium rubber walnut linen copper".split()
COLOURS = "blue red green yellow purple orange pink turquoise".split()
CITIES = "Paris Rome Oslo Vienna Lisbon Prague Dublin Madrid Athens Warsaw Boston Toronto".split()
TONGUES = "Danish Italian Polish Arabic Turkish Greek Korean Finnish Portuguese".split()
BUTTONS = "power menu mode star home left right green side round volume plus".split()
CLEANERS = ["a dry cloth", "a soft brush", "warm water", "mild soap", "a damp sponge", "vinegar", "distilled water"]
MENUS = "Comfort Profile Display General Advanced System Basics Extras Personal Access Tools Options".split()
CAUSES = ["low battery", "blocked filter", "open lid", "no signal", "overheating", "empty tank", "worn seal", "dust"]
REMEDIES = ["a new seal", "a new filter", "a restart", "an hour of rest", "a clean sensor", "a full tank", "a reset"]
FLOORS = [f"the {floor}" for floor in ("ground floor", "first floor", "top floor", "basement", "roof", "east wing")]
STREETS = "Street|Lane|Road|Square|Avenue|Row".split("|")

GREETINGS = ["Hi, ", "Hello, ", "Hi there, ", "Good morning, ", "Excuse me, ", "Quick question: ", "Dear team, "]
THANKS = [" Thanks!", " Thank you.", " Thanks in advance!", " Many thanks"]


def place_name(rng: random.Random) -> str:
    """An invented name of a village or a family."""
    return rng.choice(BEGINNINGS) + rng.choice(ENDINGS)


def clock(rng: random.Random, earliest: int, latest: int) -> str:
    """A time of day."""
    return f"{rng.randint(earliest, latest)}:{rng.choice(['00', '15', '30', '45'])}"


def money(rng: random.Random, least: int, most: int) -> str:
    """A price in euros."""
    return f"€{rng.randint(least, most)}{rng.choice(['', '', '.50', '.90', '.25'])}"


def _number(least: int, most: int, unit: str) -> Callable[[random.Random], str]:
    return lambda rng: f"{rng.randint(least, most)} {unit}"


def _one_of(values: list[str]) -> Callable[[random.Random], str]:
    return lambda rng: rng.choice(values)


DRAWS: Mapping[str, Callable[[random.Random], str]] = {
    "days": lambda rng: f"{rng.randint(2, 60)} {rng.choice(['days', 'days', 'working days'])}",
    "weeks": _number(2, 16, "weeks"),
    "months": _number(2, 60, "months"),
    "hours": _number(2, 72, "hours"),
    "minutes": _number(5, 180, "minutes"),
    "seconds": _number(2, 30, "seconds"),
    "people": _number(3, 60, "people"),
    "guests": _number(2, 12, "guests"),
    "kilos": _number(2, 90, "kg"),
    "notice": lambda rng: f"{rng.randint(2, 30)} {rng.choice(['days', 'weeks', 'months'])}'",
    "percent": lambda rng: f"{rng.randint(1, 19) * 5}%",
    "price": lambda rng: money(rng, 2, 180),
    "amount": lambda rng: f"€{rng.randint(2, 60) * 5}",
    "time": lambda rng: clock(rng, 9, 21),
    "morning": lambda rng: clock(rng, 6, 11),
    "evening": lambda rng: clock(rng, 16, 23),
    "year": lambda rng: str(rng.randint(1950, 2025)),
    "weekday": _one_of(WEEKDAYS),
    "month": _one_of(MONTHS),
    "person": lambda rng: f"{rng.choice(FIRST)} {place_name(rng)}",
    "street": lambda rng: f"{rng.randint(2, 190)} {place_name(rng)} {rng.choice(STREETS)}",
    "phone": lambda rng: f"0{rng.randint(20, 99)} {rng.randint(100, 999)} {rng.randint(1000, 9999)}",
    "site": lambda rng: place_name(rng).lower(),
    "stuff": _one_of(STUFFS),
    "colour": _one_of(COLOURS),
    "city": _one_of(CITIES),
    "tongue": _one_of(TONGUES),
    "button": _one_of(BUTTONS),
    "cleaner": _one_of(CLEANERS),
    "menu": _one_of(MENUS),
    "cause": _one_of(CAUSES),
    "remedy": _one_of(REMEDIES),
    "floor": _one_of(FLOORS),
}


def slots(text: str) -> set[str]:
    """The names of the slots in a template."""
    return set(_SLOT.findall(text))


def write(template: str, values: Mapping[str, str], rng: random.Random) -> str:
    """A template with one of each of its alternatives and its slots filled; what `values` lacks is drawn."""
    while _ALTERNATIVES.search(template):
        template = _ALTERNATIVES.sub(lambda match: rng.choice(match[1].split("|")), template)
    while _SLOT.search(template):
        template = _SLOT.sub(lambda match: values.get(match[1]) or DRAWS[match[1]](rng), template)
    text = _ARTICLE.sub(lambda match: f"{match[1]}n ", " ".join(template.split()).replace(" .", "."))
    return _START.sub(lambda match: match[1] + match[2].upper(), text)


def typed(question: str, rng: random.Random) -> str:
    """The question as a customer types it: with a greeting, in a hurry, or with a slip."""
    if rng.random() < 0.12:
        first = question if question.startswith(("I ", "I'")) else question[0].lower() + question[1:]
        question = rng.choice(GREETINGS) + first
    elif rng.random() < 0.2:
        question = question[0].lower() + question[1:]
    if rng.random() < 0.15:
        question = question.rstrip("?")
    elif rng.random() < 0.1 and question.endswith(("?", ".")):
        question += rng.choice(THANKS)
    return _slipped(question, rng) if rng.random() < 0.08 else question


def _slipped(question: str, rng: random.Random) -> str:
    """Two letters of a longer word exchanged."""
    long = list(re.finditer(r"\b[a-z]{6,}\b", question))
    if not long:
        return question
    word = rng.choice(long)
    at = word.start() + rng.randint(1, len(word[0]) - 3)
    return question[:at] + question[at + 1] + question[at] + question[at + 2 :]
