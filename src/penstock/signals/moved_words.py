"""How many words a person had to touch: inserted, deleted, replaced, or moved as a block, which counts once however long it is.

This is the translation edit rate's count (Snover et al. 2006): block moves are taken greedily, each time the one that saves most,
as long as one saves anything. Words are given as the characters of a string, one each, so that distances are worked out in C++.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator

from rapidfuzz.distance import Levenshtein, Prefix

MOST_WORDS = 400  # beyond that moves are not looked for
_LONGEST_BLOCK = 10
_FARTHEST = 50
_MOST_TRIES = 600  # of moves in one pair of texts


def words_touched(before: str, after: str) -> int:
    """The edits that turn one text into the other, a block that was moved being one of them."""
    distance = Levenshtein.distance(before, after)
    if distance <= 1 or max(len(before), len(after)) > MOST_WORDS:
        return distance
    least = fewest_edits(before, after)
    touched, moves, tries = distance, 0, _MOST_TRIES
    while distance > least + 1 and tries > 0:  # a move is an edit as well, so that saving one gains nothing
        before, nearest, tries = _best_move(before, after, distance, tries)
        if nearest >= distance:
            break
        distance, moves = nearest, moves + 1
        touched = min(touched, distance + moves)
    return touched


def fewest_edits(before: str, after: str) -> int:
    """What remains however words are moved: those that the other text does not have."""
    start = Prefix.similarity(before, after)
    before, after = before[start:], after[start:]
    shared = (Counter(before) & Counter(after)).total()
    return max(len(before), len(after)) - shared


def _best_move(before: str, after: str, distance: int, tries: int) -> tuple[str, int, int]:
    """The text after the move that saves most, its distance, and how many tries are left."""
    best, nearest = before, distance
    for moved in _moves(before, after):
        if tries == 0:
            break
        tries -= 1
        found = Levenshtein.distance(moved, after, score_cutoff=nearest)
        if found < nearest:
            best, nearest = moved, found
    return best, nearest, tries


def _moves(before: str, after: str) -> Iterator[str]:
    """The first text with one block moved to where the second has the same words, both places in error; long blocks first."""
    wrong_before, wrong_after, place = _alignment(before, after)
    where = defaultdict(list)
    for position, word in enumerate(after):
        where[word].append(position)
    blocks = []
    for start, word in enumerate(before):
        for target in where.get(word, ()):
            if abs(place[target] - start) > _FARTHEST:
                continue
            length = 0
            while (
                length < _LONGEST_BLOCK
                and start + length < len(before)
                and target + length < len(after)
                and before[start + length] == after[target + length]
            ):
                length += 1
                if any(wrong_before[start : start + length]) and any(wrong_after[target : target + length]):
                    blocks.append((length, start, place[target]))
    for length, start, to in sorted(blocks, key=lambda block: (-block[0], block[1], block[2])):
        if to < start or to > start + length:
            block, rest = before[start : start + length], before[:start] + before[start + length :]
            at = to if to < start else to - length
            yield rest[:at] + block + rest[at:]


def _alignment(before: str, after: str) -> tuple[list[bool], list[bool], list[int]]:
    """Which words of either text are in error, and where in the first a word of the second would stand."""
    wrong_before, wrong_after = [False] * len(before), [False] * len(after)
    place = [0] * len(after)
    for step in Levenshtein.opcodes(before, after):
        start, end, to = step.src_start, step.src_end, step.dest_start
        if step.tag != "equal":
            wrong_before[start:end] = [True] * (end - start)
            wrong_after[to : step.dest_end] = [True] * (step.dest_end - to)
        for offset in range(step.dest_end - to):
            place[to + offset] = min(start + offset, end)
    return wrong_before, wrong_after, place
