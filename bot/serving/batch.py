"""The running batch: requests join and leave at every step, and one forward of the model serves all of them.

A step reads the next token of every answer being written, and a piece of at most one prompt or several short ones, so
that a long prompt makes the others' next token late by a piece and not by the whole. For one thread.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import torch
from tokenizers import Tokenizer

from bot.log import get_log
from bot.serving.attention import Piece
from bot.serving.forward import Forward
from bot.serving.mixing import Mix
from bot.serving.prefixes import Prefixes
from bot.serving.refusals import OutOfMemory
from bot.serving.rows import Row
from bot.serving.slots import Slots
from bot.serving.soft import SoftEmbedding
from bot.serving.tally import Tally

ALONE_TOKENS = 256  # of a prompt in one step, when nobody else is being written to
BESIDE_TOKENS = 128  # when somebody is: .1 s on two cores

log = get_log(__name__)


class Batch:
    """Rows in slots, and the forward that serves them; the model's embedding takes soft prompts."""

    def __init__(
        self,
        forward: Forward,
        embedding: SoftEmbedding,
        mix: Mix,
        slots: Slots,
        prefixes: Prefixes,
        tokenizer: Tokenizer,
        ends: AbstractSet[int],
    ) -> None:
        self.rows: list[Row] = []
        self.tally = Tally()
        self._forward = forward
        self._embedding = embedding
        self._mix = mix
        self._slots = slots
        self._prefixes = prefixes
        self._tokenizer = tokenizer
        self._ends = ends

    @property
    def free(self) -> int:
        """How many more requests may join."""
        return self._slots.free

    def join(self, row: Row) -> None:
        """Give the row a slot, begun with what is remembered of its prompt; without memory for it the row fails."""
        try:
            row.slot = self._slots.take(row.tokens_at_most)
        except (RuntimeError, MemoryError) as error:
            row.fail(_out_of_memory(error))
            return
        self.rows.append(row)
        memory, known = self._prefixes.longest(row.owner, row.prompt)
        if memory:
            self._slots.write(row.slot, memory, known)
            row.position, row.pending = known, row.prompt[known:]
        row.generation.cached_tokens = known
        row.keep = self._prefixes.worth_keeping(row.owner, row.prompt, known)
        self.tally.prompt_tokens += len(row.prompt)
        self.tally.cached_tokens += known
        self.tally.cache_hits += known > 0
        self.tally.joined += 1

    def sweep(self) -> None:
        """Let those go whom nobody waits for any more, or who took too long."""
        for row in list(self.rows):
            if row.generation.cancelled:
                self.remove(row)
                row.leave()
            elif row.late:
                self.remove(row)
                row.expire()

    def leave(self) -> None:
        """End all requests unfinished."""
        for row in list(self.rows):
            self.remove(row)
            row.leave()

    def remove(self, row: Row) -> None:
        """Take the row out; its slot is free."""
        self.rows.remove(row)
        self._slots.give_back(row.slot)
        if not self.rows:
            self._mix.forget()

    def step(self) -> None:
        """One forward; each row whose prompt is read gets its next token. What goes wrong ends rows, not the batch."""
        pieces = self._pieces()
        rows = [row for row, _ in pieces]
        try:
            logits = self._logits(pieces)
        except Exception as error:  # noqa: BLE001  whatever it is, the thread goes on
            self._blame(rows, error)
            return
        self.tally.steps += 1
        self.tally.rows += len(rows)
        greedy = logits.argmax(dim=-1).tolist()
        for at, (row, piece) in enumerate(pieces):
            try:
                self._advance(row, piece, logits[at], greedy[at])
            except Exception as error:
                log.error("a request failed", exc_info=error)
                self.remove(row)
                row.fail(error)

    def _pieces(self) -> list[tuple[Row, Piece]]:
        chosen = [(row, row.piece(1)) for row in self.rows if row.writing]
        room = BESIDE_TOKENS if chosen else ALONE_TOKENS
        reading = [row for row in self.rows if not row.writing]
        for row in sorted(reading, key=lambda row: row.request.background):
            if room <= 0:
                break
            piece = row.piece(room)
            chosen.append((row, piece))
            room -= len(piece.tokens)
        # those of one token first, in the order of their slots, as attention wants them
        return sorted(chosen, key=lambda pair: (len(pair[1].tokens) > 1, pair[1].slot))

    def _logits(self, pieces: Sequence[tuple[Row, Piece]]) -> torch.Tensor:
        """Logits after each piece, of shape (pieces, vocabulary)."""
        with torch.inference_mode():
            self._arrange(pieces)
            return self._forward.logits([piece for _, piece in pieces])

    def _arrange(self, pieces: Sequence[tuple[Row, Piece]]) -> None:
        """Tell the model's layers whom they serve."""
        deltas = [row.adaptation.deltas if row.adaptation else None for row, _ in pieces]
        self._mix.arrange(deltas, [len(piece.tokens) for _, piece in pieces])
        rows = [row.soft_rows(piece) for row, piece in pieces]
        self._embedding.arrange([each for each in rows if each is not None])

    def _advance(self, row: Row, piece: Piece, logits: torch.Tensor, likeliest: int) -> None:
        complete = row.read(piece)
        self._slots.written(row.slot, row.position)
        if row.keep and row.position == row.keep:
            self._remember(row)
        if complete:
            token = likeliest if row.request.temperature == 0 else row.choose(logits)
            if row.write(token, self._tokenizer, self._ends):
                self.remove(row)  # first, so that who has read the end finds a free slot
                row.end()

    def _remember(self, row: Row) -> None:
        try:
            memory = self._slots.read(row.slot, row.keep)
        except (RuntimeError, MemoryError) as error:
            _out_of_memory(error)  # then it is not remembered
            return
        self._prefixes.keep(row.owner, row.prompt[: row.keep], memory)

    def _blame(self, rows: Sequence[Row], error: Exception) -> None:
        """After a step that failed nothing was read, so the others go on in the next step, as if it had not been."""
        if _is_memory(error):
            # whoever reads most at once, and of equals the one who came last
            blamed = [max(rows, key=lambda row: (len(row.pending), self.rows.index(row)))]
        else:
            log.error("a step failed", exc_info=error)
            blamed = list(rows)
        for row in blamed:
            self.remove(row)
            row.fail(_out_of_memory(error) if _is_memory(error) else error)


def _is_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or "memory" in str(error).lower()


def _out_of_memory(error: Exception) -> OutOfMemory:
    if not _is_memory(error):
        raise error
    torch.cuda.empty_cache()
    refusal = OutOfMemory("There is no memory left for this request; ask for less, or again in a moment.")
    refusal.__cause__ = error
    return refusal
