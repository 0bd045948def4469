"""What the engine has done so far, as plain counts; whoever shows them reads them."""

from dataclasses import dataclass


@dataclass
class Tally:
    """Written by the one thread that runs the model."""

    steps: int = 0  # forwards
    rows: int = 0  # requests in them, so that rows / steps is the mean batch
    joined: int = 0  # requests that began
    cache_hits: int = 0  # of those, whose prompt's beginning was known
    prompt_tokens: int = 0
    cached_tokens: int = 0  # of those, not read again
