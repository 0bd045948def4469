"""What the house wants of its answers, as `style.yaml` says it. The company's own file wins over the one that ships."""

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.errors import SettingsError
from bot.settings import Settings

SHIPPED = Path(__file__).with_name("style.yaml")
Wish = Literal["wanted", "allowed", "unwanted"]
Formality = Literal["informal", "formal", "any"]
Form = Literal["prose", "lists", "any"]


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Range(_Asked):
    """Words in an answer, the ends included."""

    least: int = Field(default=1, ge=1)
    most: int = Field(default=1_000, ge=1)


class Phrases(_Asked):
    """Whether one of these is wanted at an answer's beginning or end."""

    wish: Wish = Field(default="allowed", alias="is")
    phrases: tuple[str, ...] = ()


class Style(_Asked):
    """The house style. A field with its default asks for nothing, and is not measured."""

    language: Literal["", "de", "en", "es", "fr", "it", "nl"] = ""
    words: Range = Range()
    greeting: Phrases = Phrases()
    closing: Phrases = Phrases()
    person: tuple[Literal["we", "you"], ...] = ()
    formality: Formality = "any"
    form: Form = "any"
    use: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    reading_level: float | None = None
    weights: dict[str, float] = {}


def load(settings: Settings) -> Style:
    """The company's style, or the one that ships. Raises `SettingsError` naming the line that makes no sense."""
    own = settings.data_dir / SHIPPED.name
    return read(own if own.is_file() else SHIPPED)


def read(place: Path) -> Style:
    """The style that a file describes. Raises `SettingsError`."""
    try:
        return Style(**(yaml.safe_load(place.read_text(encoding="utf-8")) or {}))
    except (OSError, TypeError, yaml.YAMLError) as error:
        raise SettingsError(f"The house style '{place}' cannot be read: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"In the house style '{place}', '{name}' is wrong: {first['msg'].lower()}.") from error
