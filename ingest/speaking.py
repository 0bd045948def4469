"""Who speaks in an evaluation."""

from bot.records import Adapter


def voice(name: str | None) -> Adapter | None:
    """A version of the style by name, or the active one; None is the base model."""
    from bot import adapters
    from bot.desk import open_desk

    database = open_desk().database
    if name == "base":
        return None
    return adapters.find(database, name) if name else adapters.active(database)
