"""What the model knows by itself, and whether an adapter has moved it: general questions without any passage.

Style may change how such a question is answered. What is asked for here is that the right answer is said as before,
and that the next tokens of the base's own answer stay about as likely.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import kl_div

from bot.quality import overlap
from bot.serving.prompt import Prompter
from workers.style.keeping import told

MOST_TOKENS = 32

# Questions that a very small model, too, often answers rightly, with what the answer must hold.
QUESTIONS: tuple[tuple[str, str], ...] = (
    ("What is the capital of France?", "Paris"),
    ("What is the capital of Italy?", "Rome"),
    ("What is the capital of Japan?", "Tokyo"),
    ("What is the capital of Germany?", "Berlin"),
    ("What is the capital of Russia?", "Moscow"),
    ("What is the capital of China?", "Beijing"),
    ("What is the capital of Greece?", "Athens"),
    ("What is the capital of Egypt?", "Cairo"),
    ("What is the capital of England?", "London"),
    ("What is the capital of Portugal?", "Lisbon"),
    ("What is the capital of Canada?", "Ottawa"),
    ("What is the capital of the United States?", "Washington"),
    ("Which planet is known as the Red Planet?", "Mars"),
    ("What is the largest planet in the solar system?", "Jupiter"),
    ("Which planet is closest to the sun?", "Mercury"),
    ("Which planet has bright rings around it?", "Saturn"),
    ("What is the name of the galaxy that we live in?", "Milky Way"),
    ("What moves around the Earth once a month?", "moon"),
    ("What is the largest ocean on Earth?", "Pacific"),
    ("What is the highest mountain in the world?", "Everest"),
    ("What is the largest desert in Africa?", "Sahara"),
    ("Which river flows through Egypt?", "Nile"),
    ("Which river flows through London?", "Thames"),
    ("On which continent is Egypt?", "Africa"),
    ("On which continent is India?", "Asia"),
    ("On which continent is Brazil?", "South America"),
    ("Which country has the city of Berlin?", "Germany"),
    ("Which country has the city of Sydney?", "Australia"),
    ("In which country is the Great Wall?", "China"),
    ("In which city is the Eiffel Tower?", "Paris"),
    ("Who wrote the play Romeo and Juliet?", "Shakespeare"),
    ("Who developed the theory of relativity?", "Einstein"),
    ("Who discovered gravity when an apple fell?", "Newton"),
    ("Who was the first president of the United States?", "Washington"),
    ("Who was the first person to walk on the moon?", "Armstrong"),
    ("Who wrote On the Origin of Species?", "Darwin"),
    ("What gas do plants take in from the air?", "carbon dioxide"),
    ("What gas do people need to breathe?", "oxygen"),
    ("What is water made of?", "hydrogen"),
    ("What is frozen water called?", "ice"),
    ("What is the chemical symbol for gold?", "Au"),
    ("Which organ pumps blood through the body?", "heart"),
    ("Which organ do people think with?", "brain"),
    ("With which organs do people breathe?", "lungs"),
    ("What do cows give that people drink?", "milk"),
    ("What is a baby dog called?", "puppy"),
    ("What colour do you get when you mix blue and yellow?", "green"),
    ("How many months are in a year?", "12"),
    ("What is the capital of Ireland?", "Dublin"),
    ("What is the capital of Austria?", "Vienna"),
    ("What is the capital of Cuba?", "Havana"),
    ("What is the capital of South Korea?", "Seoul"),
    ("What is the capital of Argentina?", "Buenos Aires"),
    ("What is the capital of Hungary?", "Budapest"),
    ("What is the capital of Iran?", "Tehran"),
    ("What is the capital of Scotland?", "Edinburgh"),
    ("On which continent is China?", "Asia"),
    ("On which continent is Germany?", "Europe"),
    ("On which continent is Nigeria?", "Africa"),
    ("On which continent is Argentina?", "South America"),
    ("Which country has the city of Tokyo?", "Japan"),
    ("Which country has the city of Barcelona?", "Spain"),
    ("Which country has the city of Athens?", "Greece"),
    ("Which country has the city of Chicago?", "United States"),
    ("In which country is the Taj Mahal?", "India"),
    ("In which city is the Colosseum?", "Rome"),
    ("In which city is Big Ben?", "London"),
    ("Which country is shaped like a boot?", "Italy"),
    ("What is the largest country in the world by area?", "Russia"),
    ("Which sea lies between Europe and Africa?", "Mediterranean"),
    ("Which river flows through Brazil's rainforest?", "Amazon"),
    ("What is the tallest animal in the world?", "giraffe"),
    ("What is the fastest land animal?", "cheetah"),
    ("Which insect makes honey?", "bee"),
    ("Which animal is known as man's best friend?", "dog"),
    ("What is a baby cow called?", "calf"),
    ("What do tadpoles become?", "frog"),
    ("What do spiders spin to catch insects?", "web"),
    ("What is the process by which plants make food?", "photosynthesis"),
    ("What force pulls things towards the ground?", "gravity"),
    ("What is the centre of an atom called?", "nucleus"),
    ("What is the chemical symbol for oxygen?", "O"),
    ("What is the chemical symbol for sodium?", "Na"),
    ("What carries genetic information in cells?", "DNA"),
    ("What is the largest organ of the human body?", "skin"),
    ("What liquid flows through veins?", "blood"),
    ("Who painted Starry Night?", "Gogh"),
    ("Who wrote A Christmas Carol?", "Dickens"),
    ("Who wrote the Odyssey?", "Homer"),
    ("Who sailed to America in 1492?", "Columbus"),
    ("Who discovered penicillin?", "Fleming"),
    ("Who invented the telephone?", "Bell"),
    ("Who was the president of the United States during the Civil War?", "Lincoln"),
    ("Which language is spoken in France?", "French"),
    ("Which language is spoken in Germany?", "German"),
    ("What colour is the sky on a clear day?", "blue"),
    ("What colour do you get when you mix red and yellow?", "orange"),
    ("What is the opposite of cold?", "hot"),
    ("What is five plus five?", "10"),
    ("Which month comes after January?", "February"),
)


@dataclass(frozen=True)
class ClosedBook:
    """`kl`: mean KL(base || candidate) of the next token over the base's own greedy answers, in nats; `known`: how many
    of the questions the base answers rightly; `lost`: how many of those the candidate does not; `found`: how many the
    candidate alone answers rightly."""

    questions: int
    known: int
    lost: int
    found: int
    kl: float


def closed_book(student: Any, tokenizer: Any, questions: Sequence[tuple[str, str]] = QUESTIONS) -> ClosedBook:
    """Ask the base (the student with its adapter switched off) and the student."""
    was_training = student.training
    student.eval()
    prompter = Prompter(tokenizer)
    chats = [({"role": "user", "content": question},) for question, _ in questions]
    with student.disable_adapter():
        before = told(student, tokenizer, chats, MOST_TOKENS)
    after = told(student, tokenizer, chats, MOST_TOKENS)
    right = [
        (overlap.holds(one, [answer]), overlap.holds(other, [answer]))
        for one, other, (_, answer) in zip(before, after, questions, strict=True)
    ]
    apart = [
        _apart(student, prompter.tokens(chat), tokenizer.encode(said, add_special_tokens=False))
        for chat, said in zip(chats, before, strict=True)
        if said
    ]
    student.train(was_training)
    return ClosedBook(
        questions=len(questions),
        known=sum(one for one, _ in right),
        lost=sum(one and not other for one, other in right),
        found=sum(other and not one for one, other in right),
        kl=round(sum(apart) / max(1, len(apart)), 4),
    )


@torch.inference_mode()
def _apart(student: Any, prompt: list[int], said: list[int]) -> float:
    """Mean KL(base || student) of the next tokens along what the base said."""
    with student.disable_adapter():
        likely = _next(student, prompt, said)
    return float(kl_div(_next(student, prompt, said), likely, log_target=True, reduction="batchmean"))


def _next(model: Any, prompt: list[int], said: list[int]) -> torch.Tensor:
    """Log-likelihoods of every next token along an answer: (tokens, vocabulary)."""
    tokens = torch.tensor([[*prompt, *said]], device=model.device)
    logits = model(input_ids=tokens, logits_to_keep=len(said) + 1).logits[0, :-1]
    return torch.log_softmax(logits.float(), dim=-1)
