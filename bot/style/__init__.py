"""The house style as code: what `style.yaml` asks for, and how well a text keeps to it."""

from bot.style.guide import Style, load, read
from bot.style.parts import Part
from bot.style.scores import StyleScore, as_kept, score

__all__ = ["Part", "Style", "StyleScore", "as_kept", "load", "read", "score"]
