"""The demo's world: words to complete, what users think of a completion, and a neighbouring task that training must not break.

A suggestion's chance of acceptance hangs on the first letter of the word and on the language that is typed; nobody tells the
model so. The neighbouring task (spell a word backwards) shares the weights and no user ever rates it.
"""

import random
from dataclasses import dataclass, field

SILENT = "-"


@dataclass(frozen=True)
class World:
    """Everything that is true of the simulated product."""

    letters: str = "abcdefgh"
    word_length: int = 4
    # context -> chance of acceptance by first letter
    tastes: dict[str, tuple[float, ...]] = field(
        default_factory=lambda: {
            "py": (0.9, 0.8, 0.6, 0.4, 0.2, 0.1, 0.05, 0.02),
            "sql": (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9),
        }
    )
    garbled_acceptance: float = 0.02
    edit_share: float = 0.1
    edit_suffix: str = "!"
    tests_pass: float = 0.9
    silent_share: float = 0.15  # how often the base model says nothing, whatever the context
    max_tokens: int = 8

    def word(self, draw: random.Random) -> str:
        """A word that somebody is typing."""
        return "".join(draw.choices(self.letters, k=self.word_length))

    def prompt(self, context: str, word: str) -> str:
        """What the editor sends."""
        return f"{context}: {word}"

    def acceptance(self, context: str, word: str, suggestion: str) -> float:
        """The chance that a user of average leniency accepts this suggestion."""
        if suggestion != word:
            return self.garbled_acceptance
        return self.tastes[context][self.letters.index(word[0])]

    def base_rows(self, count: int, draw: random.Random) -> list[dict[str, object]]:
        """Supervised rows that make the base model: it completes or stays silent at random, and knows the neighbouring task."""
        tasks = [*self.tastes, "rev"]
        rows: list[dict[str, object]] = []
        for number in range(count):
            task, word = tasks[number % len(tasks)], self.word(draw)
            shown = SILENT if draw.random() < self.silent_share else word
            completion = word[::-1] if task == "rev" else shown
            rows.append({"prompt": [{"role": "user", "content": self.prompt(task, word)}], "completion": completion})
        return rows

    def neighbour_items(self, count: int, draw: random.Random) -> list[dict[str, object]]:
        """Items of the regression suite: the neighbouring task with its one right answer."""
        words = [self.word(draw) for _ in range(count)]
        return [{"prompt": [{"role": "user", "content": self.prompt("rev", word)}], "expected": word[::-1]} for word in words]
