"""Redaction: personal data and secrets become typed, numbered placeholders, keyed hashes or nothing; ids become keyed hashes.

It fails closed: a text that cannot be redacted is dropped. JSON stays valid JSON, because only its strings are touched.
Redacting twice changes nothing, because it goes on until a pass finds nothing and no placeholder looks personal.
"""

import hmac
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate

from penstock.policy_settings import RedactSettings
from penstock.text.allowances import Allowances
from penstock.text.birth_dates import BirthDates
from penstock.text.credentials import Credentials
from penstock.text.custom_patterns import CustomPatterns
from penstock.text.digit_runs import DigitRuns
from penstock.text.disguise import unfold
from penstock.text.email_addresses import EmailAddresses
from penstock.text.home_folders import HomeFolders
from penstock.text.json_text import map_json_strings
from penstock.text.national_ids import NationalIds
from penstock.text.network_addresses import NetworkAddresses
from penstock.text.patterns import DISGUISE, SEPARATOR, Detector, Found, compile_pattern, compile_set
from penstock.text.personal_numbers import end_of_counter
from penstock.text.placeholders import Placeholders, PlaceholderSpans
from penstock.text.street_addresses import StreetAddresses
from penstock.text.telling_names import NAMED_VALUE, is_telling_name, kind_by_name

FAILED = "[REDACTION_FAILED]"

_MOST_PASSES = 8
_LONGEST_WORD = 12  # a plain word up to here holds nothing that a detector looks for: "user", "text", "assistant"
_FEWEST_SPACES_OF_PROSE = 2  # a model takes any single word for a name, and a name is given in a sentence
# In order: where two overlap, the first counts. A secret may contain an "@", an address only digits.
_DETECTORS: tuple[type[Detector], ...] = (
    Credentials,
    EmailAddresses,
    NationalIds,
    NetworkAddresses,
    BirthDates,
    StreetAddresses,
    HomeFolders,
    DigitRuns,
)


class Redactor:
    """Masks texts and hashes ids with one key."""

    def __init__(
        self,
        key: bytes,
        settings: RedactSettings | None = None,
        detectors: Sequence[Detector] | None = None,
        names: Detector | None = None,
    ) -> None:
        settings = settings or RedactSettings()
        self._key = key
        self._detectors = [*([kind() for kind in _DETECTORS] if detectors is None else detectors)]
        proposals = [*(detector.proposal for detector in self._detectors), DISGUISE, NAMED_VALUE]
        self.pattern = b"|".join(proposals)  # matches in every text in which something may be found
        self._anything = compile_pattern(self.pattern, with_groups=False)
        self._which = compile_set(proposals)
        self._custom = CustomPatterns(settings.patterns) if settings.patterns else None
        self._passes_words = detectors is None and not settings.patterns
        self._names = names  # finds names and places; looks at every text, once, after all others
        self._allowances = Allowances(settings)
        self._placeholders = Placeholders(key, settings.modes)

    def hash_id(self, value: str, kind: str) -> str:
        """A keyed hash that is the same wherever the same id of this kind turns up."""
        mac = hmac.digest(self._key, f"{kind}\0{value}".encode("utf-8", "replace"), "sha256")
        return f"{kind[:1]}_{mac.hex()[:24]}"

    def redact_id(self, value: str, kind: str, name: str = "") -> str:
        """The id itself, or its keyed hash where it, or it under its `name`, holds something personal; a hash still joins."""
        names = ("", name) if name and is_telling_name(name) else ("",)
        is_personal = any(self._redact_counted(value, "", each, is_prose=False)[1] for each in names)
        return self.hash_id(value, kind) if is_personal else value

    def find_suspects(self, texts: Sequence[bytes]) -> list[int]:
        """Which of these UTF-8 texts, plain or JSON, may hold something; all the others surely do not."""
        return self.find_suspects_in(SEPARATOR.join(texts), [0, *accumulate(len(text) + 1 for text in texts)])

    def find_suspects_in(self, whole: bytes, starts: Sequence[int]) -> list[int]:
        """The same of texts that are joined by SEPARATOR; `starts` is where each begins, and where one more would."""
        if self._names is not None:
            return list(range(len(starts) - 1))
        suspects: list[int] = []
        position = 0
        while position < len(whole) and (match := self._anything.search(whole, position)) is not None:
            counter = end_of_counter(whole, match.start(), match.end())
            if counter is not None:
                position = counter
                continue
            # A match may begin on the separator before its text, and a credential's name may stand in the text before.
            last = bisect_right(starts, match.end() - 1) - 1
            first = min(bisect_right(starts, match.start() + 1) - 1, last)
            suspects.extend(index for index in range(first, last + 1) if not suspects or index > suspects[-1])
            position = starts[last + 1] - 1
        if self._custom is not None:
            return sorted({*suspects, *self._find_custom_suspects(whole, starts)})
        return suspects

    def find_plain(self, data: bytes) -> list[Found]:
        """What the detectors find in a UTF-8 text that is no JSON, names apart, as it would be taken out first."""
        return self._find(data, self._propose(data), 0)

    def redact(self, text: str | None, session: str, name: str = "") -> tuple[str | None, dict[str, int]]:
        """The text with what is personal taken out, and how often each kind was; `name` is what it stands under."""
        if text is None:
            return None, {}
        return self._redact_counted(text, session, name, is_prose=True)

    def _find_custom_suspects(self, whole: bytes, starts: Sequence[int]) -> set[int]:
        assert self._custom is not None  # noqa: S101 - the caller has looked
        suspects: set[int] = set()
        try:
            found = self._custom.find(whole.replace(SEPARATOR, b"\n"))
        except Exception:  # noqa: BLE001 - fails closed: each text is then tried by itself, and dropped if it fails again
            return set(range(len(starts) - 1))
        for start, end, _ in found:
            suspects.update(range(bisect_right(starts, start) - 1, bisect_right(starts, end - 1)))
        return suspects

    def _redact_counted(self, text: str, session: str, name: str, *, is_prose: bool) -> tuple[str, dict[str, int]]:
        try:
            counts: Counter[str] = Counter()
            return self._redact(text, session, name, counts, is_prose), dict(counts)
        except Exception:  # noqa: BLE001 - fails closed: whatever went wrong, the text must not be written
            return FAILED, {"failed": 1}

    def _redact(self, text: str, session: str, name: str, counts: Counter[str], is_prose: bool) -> str:
        data = text.encode("utf-8", "replace")
        if not self._may_hold_something(data, name):
            return text if data.isascii() else data.decode()

        def change(leaf: str, leaf_name: str) -> str:
            return self._redact_named(leaf, leaf_name or name, session, counts, is_prose)

        mapped = map_json_strings(text, change)
        return mapped if mapped is not None else change(text, "")

    def _may_hold_something(self, data: bytes, name: str) -> bool:
        if self._names is not None or self._which.Match(data) is not None or (name and is_telling_name(name)):
            return True
        return self._custom is not None and bool(self._custom.find(data))

    def _redact_named(self, text: str, name: str, session: str, counts: Counter[str], is_prose: bool) -> str:
        """What stands under a telling name is looked at together with it: `"order_id": 4155550134`."""
        is_telling = bool(name) and is_telling_name(name)
        if self._passes_words and not is_telling and len(text) <= _LONGEST_WORD and text.isascii() and text.isalpha():
            return text
        data = text.encode("utf-8", "replace")
        if not is_telling:
            return self._redact_plain(data, 0, session, counts, is_prose)
        kind = kind_by_name(name, text)
        if kind is not None and not self._placeholders.is_one(data) and not self._allowances.allow(kind, data):
            return self._take_out(data, [Found(0, len(data), kind)], 0, session, counts).decode()
        before = f"{name}: ".encode("utf-8", "replace")
        return self._redact_plain(before + data, len(before), session, counts, is_prose)

    def _redact_plain(self, data: bytes, skip: int, session: str, counts: Counter[str], is_prose: bool) -> str:
        """The UTF-8 text without its first `skip` bytes, which only tell what the rest is."""
        proposed = self._propose(data)
        if self._custom is not None or proposed:
            data = self._mask_disguised(data, proposed, skip, session, counts)
        if self._names is not None and is_prose and data.count(b" ", skip) >= _FEWEST_SPACES_OF_PROSE:
            data = self._take_out(data, self._look(self._names, data), skip, session, counts)
        return data[skip:].decode("utf-8", "replace")

    def _propose(self, data: bytes) -> Sequence[int]:
        """The indexes of the proposals that match somewhere in the text, those of detectors first and in their order."""
        return sorted(self._which.Match(data) or ())

    def _mask_disguised(self, data: bytes, proposed: Sequence[int], skip: int, session: str, counts: Counter[str]) -> bytes:
        masked = self._mask(data, proposed, skip, session, counts)
        unfolded = unfold(masked)
        if unfolded == masked or unfolded[:skip] != masked[:skip]:
            return masked
        found: Counter[str] = Counter()
        again = self._mask(unfolded, self._propose(unfolded), skip, session, found)
        counts.update(found)
        return again if found else masked

    def _mask(self, data: bytes, proposed: Sequence[int], skip: int, session: str, counts: Counter[str]) -> bytes:
        """Mask until nothing is found: a placeholder ends a word, which can lay bare what stood against it."""
        for _ in range(_MOST_PASSES):
            found = self._find(data, proposed, skip)
            if not found:
                return data
            data = self._take_out(data, found, skip, session, counts)
            proposed = self._propose(data)
        raise RuntimeError("masking did not come to an end")

    def _find(self, data: bytes, proposed: Sequence[int], skip: int) -> list[Found]:
        """What the proposed detectors find, in order of place; where two overlap, only what comes first in their order."""
        taken: list[Found] = [] if self._custom is None else self._look(self._custom, data)
        for index in proposed:
            if index >= len(self._detectors):
                break
            detector = self._detectors[index]
            taken = _merge(taken, [found for found in self._look(detector, data) if found.start >= skip])
        return taken

    def _look(self, detector: Detector, data: bytes) -> list[Found]:
        found = [one for one in detector.find(data) if not self._allowances.allow(one.kind, data[one.start : one.end])]
        if not found:
            return found
        placeholders = PlaceholderSpans(data)
        return [one for one in found if not placeholders.overlap(one.start, one.end)]

    def _take_out(self, data: bytes, found: Sequence[Found], skip: int, session: str, counts: Counter[str]) -> bytes:
        pieces: list[bytes] = []
        known: dict[tuple[str, bytes], bytes] = {}
        done = 0
        for start, end, kind in found:
            if start < max(done, skip):
                continue
            value = data[start:end]
            instead = known.get((kind, value))
            if instead is None:
                instead = known[kind, value] = self._placeholders.replace(kind, value, session)
            pieces += data[done:start], instead
            done = end
            counts[kind] += 1
        return b"".join([*pieces, data[done:]])


def _merge(taken: Sequence[Found], more: Sequence[Found]) -> list[Found]:
    """Both lists in order of place, without those of the second that overlap one of the first."""
    if not taken or not more:
        return list(taken or more)
    ends = [found.end for found in taken]
    free = []
    for found in more:
        at = bisect_right(ends, found.start)
        if at == len(taken) or taken[at].start >= found.end:
            free.append(found)
    return sorted([*taken, *free])
