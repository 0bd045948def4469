"""Prompts are the Markdown files of this folder; the file is the identity. They are loaded, hashed and filled here.

`file` knows the form of one, `versions` which text of it is in use, `messages` how it is filled and heard.
"""

from bot.prompts.file import Prompt, checked, names, problems, read, shipped, variants
from bot.prompts.messages import compose, numbered, place, plain, spoken
from bot.prompts.versions import Version, back_to_shipped, by_version, choose, go_back, history, keep, load, save

__all__ = [
    "Prompt",
    "Version",
    "back_to_shipped",
    "by_version",
    "checked",
    "choose",
    "compose",
    "go_back",
    "history",
    "keep",
    "load",
    "names",
    "numbered",
    "place",
    "plain",
    "problems",
    "read",
    "save",
    "shipped",
    "spoken",
    "variants",
]
