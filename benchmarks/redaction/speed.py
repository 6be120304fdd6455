"""Megabytes a second and core that redaction looks through, beside Python's `re` with the same patterns in the same run.

    python benchmarks/redaction/speed.py [--texts 8000] [--personal 0.05] [--rounds 5]

Texts of 2.5 kB, of which some hold something personal; looked through in batches of 100 as the edge does, what is found masked
included. CPU time of one thread; the best round counts. `re` scans each text with one alternation of all patterns, and what it
suspects is masked in the same way. Then one text of 8 MB, plain and as JSON, in seconds.
"""

import argparse
import json
import random
import re
import time
from collections.abc import Callable, Sequence

from penstock.text.redaction import Redactor

PERSONAL = (
    "mail me at jane.doe{}@example.com",
    "call +1 415 555 01{:02d}",
    "card 4111 1111 1111 1111",
    "ssn 536-22-87{:02d}",
    "key sk-abcdefghijklmnopqrstuvwx{}",
)
TEXT_BYTES = 2_500
BATCH = 100
LARGE_BYTES = 8_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=8_000)
    parser.add_argument("--personal", type=float, default=0.05)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    redactor = Redactor(b"k" * 32)
    texts = make_texts(options.texts, options.personal)
    size = sum(map(len, texts)) / 1e6
    found = look_through(redactor, texts)
    ours = size / best(lambda: look_through(redactor, texts), options.rounds)
    few = texts[: max(options.texts // 20, 40)]
    plain = re.compile(re.sub(rb"\(\?P<\w+>", b"(?:", redactor.pattern))
    theirs = sum(map(len, few)) / 1e6 / best(lambda: look_through_with_re(plain, redactor, few), 2)
    print(
        json.dumps(
            {
                "texts": len(texts),
                "with_a_find": found,
                "penstock_mb_s": round(ours, 1),
                "re_mb_s": round(theirs, 2),
                "ratio": round(ours / theirs, 1),
            }
        )
    )
    large = b" ".join(texts)[:LARGE_BYTES].decode()
    message = json.dumps([{"role": "user", "parts": [{"type": "text", "content": large}]}])
    for name, text in {"plain": large, "json": message}.items():
        print(
            json.dumps(
                {
                    "large": name,
                    "mb": round(len(text) / 1e6, 1),
                    "s": round(best(lambda text=text: redactor.redact(text, "s"), 2), 2),
                }
            )
        )


def best(work: Callable[[], object], rounds: int) -> float:
    """CPU seconds of the fastest round."""
    seconds = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        seconds.append(time.process_time() - begun)
    return min(seconds)


def look_through(redactor: Redactor, texts: Sequence[bytes]) -> int:
    found = 0
    for first in range(0, len(texts), BATCH):
        batch = texts[first : first + BATCH]
        for index in redactor.find_suspects(batch):
            found += bool(redactor.redact(batch[index].decode(), "session")[1])
    return found


def look_through_with_re(pattern: re.Pattern[bytes], redactor: Redactor, texts: Sequence[bytes]) -> int:
    return sum(bool(redactor.redact(text.decode(), "session")[1]) for text in texts if pattern.search(text) is not None)


def make_texts(count: int, personal: float) -> list[bytes]:
    """Prose of made-up words with what stands in real texts between them: numbers, dates, versions, ids and paths."""
    chance = random.Random(7)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 10))) for _ in range(20_000)]
    return [make_text(words, chance, number, chance.random() < personal).encode() for number in range(count)]


def make_text(words: Sequence[str], chance: random.Random, number: int, is_personal: bool) -> str:
    text: list[str] = []
    size = 0
    while size < TEXT_BYTES:
        text.append(make_word(words, chance))
        size += len(text[-1]) + 1
    if is_personal:
        text.insert(len(text) // 2, chance.choice(PERSONAL).format(number % 100))
    return " ".join(text)


def make_word(words: Sequence[str], chance: random.Random) -> str:
    kind = chance.random()
    if kind > 0.06:
        return chance.choice(words)
    if kind > 0.03:
        return chance.choice(words).capitalize() + chance.choice((".", ",", ":", "'s", "?"))
    if kind > 0.01:
        return f"{chance.randint(0, 9999)} {chance.choice(words)}"
    return chance.choice(
        (
            f"2026-11-{chance.randint(1, 30):02d}T10:{chance.randint(0, 59):02d}:11Z",
            f"v{chance.randint(0, 9)}.{chance.randint(0, 20)}.1",
            f"{chance.randbytes(4).hex()}-{chance.randbytes(2).hex()}-4{chance.randbytes(1).hex()}0-a{chance.randbytes(1).hex()}0-{chance.randbytes(6).hex()}",
            f"1,{chance.randint(100, 999)},000 tokens",
            f"/src/{chance.choice(words)}.py:{chance.randint(1, 900)}",
            f"https://example.com/{chance.choice(words)}?page={chance.randint(1, 9)}",
            f"{chance.random():.4f}",
        )
    )


if __name__ == "__main__":
    main()
