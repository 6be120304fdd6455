"""The demo's world: words to complete, what users think of a completion, and a neighbouring task that training must not break.

Each language has words of its own. In `py` a suggestion's chance of acceptance hangs on the first letter of the word, in `sql`
suggestions are welcome; nobody tells the model so. The neighbouring task (spell a word backwards) shares the weights and no user
ever rates it.
"""

import random
from dataclasses import dataclass, field

SILENT = "-"
NEIGHBOUR = "rev"

Row = dict[str, object]


@dataclass(frozen=True)
class Language:
    """The words of one language, and how welcome a completion is, by the word's first letter."""

    letters: str
    acceptance: tuple[float, ...]


LANGUAGES = {
    "py": Language("abcdefgh", (0.95, 0.9, 0.75, 0.2, 0.08, 0.05, 0.03, 0.02)),
    "sql": Language("ijklmnop", (0.9,) * 8),
}


@dataclass(frozen=True)
class World:
    """Everything that is true of the simulated product."""

    languages: dict[str, Language] = field(default_factory=lambda: LANGUAGES)
    word_length: int = 4
    garbled_acceptance: float = 0.02
    edit_share: float = 0.1
    edit_suffix: str = "!"
    tests_pass: float = 0.9
    silent_share: float = 0.15  # how often the base model says nothing, whatever the context
    max_tokens: int = 8

    def word(self, context: str, draw: random.Random) -> str:
        """A word that somebody is typing; the neighbouring task borrows those of the first language."""
        language = self.languages.get(context) or next(iter(self.languages.values()))
        return "".join(draw.choices(language.letters, k=self.word_length))

    def prompt(self, context: str, word: str) -> str:
        """What the editor sends."""
        return f"{context}: {word}"

    def acceptance(self, context: str, word: str, suggestion: str) -> float:
        """The chance that a user of average leniency accepts this suggestion."""
        if suggestion != word:
            return self.garbled_acceptance
        language = self.languages[context]
        return language.acceptance[language.letters.index(word[0])]

    def base_rows(self, count: int, draw: random.Random, tasks: tuple[str, ...] = (*LANGUAGES, NEIGHBOUR)) -> list[Row]:
        """Supervised rows that make the base model: it completes or stays silent at random, and knows the neighbouring task.

        Those of some tasks only are rehearsed in every turn, so that what nobody uses at the moment is not unlearned.
        """
        rows: list[Row] = []
        for number in range(count):
            task = tasks[number % len(tasks)]
            word = self.word(task, draw)
            shown = SILENT if draw.random() < self.silent_share else word
            completion = word[::-1] if task == NEIGHBOUR else shown
            rows.append({"prompt": [{"role": "user", "content": self.prompt(task, word)}], "completion": completion})
        return rows

    def neighbour_items(self, count: int, draw: random.Random) -> list[Row]:
        """Items of the regression suite: the neighbouring task with its one right answer."""
        return [{"prompt": row["prompt"], "expected": row["completion"]} for row in self.base_rows(count, draw, (NEIGHBOUR,))]
