"""What an adapter learned from, for people, beside its weights. It quotes no row: customers' words are erased in one
place, the records, and not here."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

from bot.records import Feedback
from workers.style.curate import Curated
from workers.style.known import Sorted
from workers.style.splitting import Split

NAME = "data.md"
_KINDS = {
    "HighlyKnown": "every greedy answer is right",
    "MaybeKnown": "some greedy answers are right",
    "WeaklyKnown": "only a sample is right",
    "Unknown": "nothing is right: not learned from",
}


def written(adapter: str, curated: Curated, known: Sorted, parts: Split) -> str:
    """The card as Markdown."""
    rows = known.kept
    sections = [
        f"# What {adapter} learned from",
        f"{len(rows) + len(known.unknown) + len(curated.refused)} approved rows, {len(rows)} of them learned from or "
        f"examined on: {len(parts.train)} to learn from, {len(parts.dev)} to stop by, {len(parts.test)} for the gate.",
        _approved(rows),
        "## Documents",
        _table("document", Counter(_document(row) for row in rows)),
    ]
    if known.mix:
        head = "What the base finds in the passages before it is trained (arXiv:2405.05904, given the passages):"
        lines = [f"- {kind}: {count} ({_KINDS[kind]})" for kind, count in known.mix.items()]
        sections += ["## Known and unknown", f"{head}\n\n" + "\n".join(lines)]
    if curated.refused:
        sections += ["## Left out", _table("reason", Counter(_short(reason) for _, reason in curated.refused))]
    return "\n\n".join(part for part in sections if part) + "\n"


def _approved(rows: Sequence[Feedback]) -> str:
    if not rows:
        return ""
    reviewers = len({row.reviewer for row in rows})
    first, last = min(row.created_at for row in rows), max(row.created_at for row in rows)
    length = median(len(row.rewrite.split()) for row in rows)
    rewritten = sum(row.rewrite.strip() != row.answer.strip() for row in rows)
    return (
        f"They came between {first:%d %B %Y} and {last:%d %B %Y} and were approved by {reviewers} reviewer"
        f"{'' if reviewers == 1 else 's'}; {rewritten} were rewritten, {len(rows) - rewritten} approved as they were. "
        f"The median answer has {length:.0f} words. Personal data was redacted."
    )


def _document(row: Feedback) -> str:
    return row.evidence[0].document if row.evidence else "none"


def _short(reason: str) -> str:
    """A reason without the row or the sentence that it names."""
    for known in ("The passages do not support", "It says the same", "It says nearly the same", "rows about the same"):
        if known in reason:
            return known
    return reason.split(":")[0]


def _table(name: str, counts: Counter[str]) -> str:
    rows = [f"| {key.replace('|', ' ')} | {count} |" for key, count in counts.most_common()]
    return "\n".join([f"| {name} | rows |", "|---|---|", *rows])
