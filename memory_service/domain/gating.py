"""The gate before facts: what was found in a turn is kept only if the user said it, meant it, and it is worth keeping.

Pure, and it trusts nobody: an extractor may be a model that was told what to find by the very text it reads. Each
candidate must stand in the turn word for word, in the user's own words, and is judged by the sentence around them.

    quote in the turn? ─ said by the user? ─ a secret? ─ echoed? ─ meant? ─ of the user? ─ supported? ─ lasting? ─► kept
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from memory_service.domain.echoes import Said, alike
from memory_service.domain.extraction import Candidate, Judged, Surroundings, Verdict
from memory_service.domain.keys import Key, canonical
from memory_service.domain.meaning import Sentence, is_lasting, is_meant, is_of_the_user, is_reported
from memory_service.domain.model import Interaction, Origin
from memory_service.domain.own_words import (
    MAX_CHARACTERS,
    Span,
    foreign_parts,
    own_words,
    sentence_around,
    straight,
    words,
)
from memory_service.domain.plays import in_a_play, is_joking

__all__ = ["SecretFinder", "judge"]

SecretFinder = Callable[[str], bool]
"""Tells whether a text holds a secret: a password, a key, the number of a card."""

_MOST_CANDIDATES = 32
_MOST_PLACES = 8
_LONGEST_QUOTE_BYTES = 2048
_LONGEST_VALUE = 200
_HIDDEN = "[redacted]"

# What a person may do is told by their credentials; memory never grants it, and takes no orders about itself.
_POWER = re.compile(
    r"\b(?:admin|administrator (?:rights|access)|root|superuser|sudo|jailbreak|developer mode|system prompt"
    r"|(?:ignore|disregard|forget|override) (?:all |any |the |your |my )?(?:previous|prior|above|instructions?|rules?)"
    r"|unrestricted|permissions?|privileges?|authori[sz]ed|access (?:level|rights|to everything)|bypass"
    r"|without (?:asking|approval))\b",
    re.IGNORECASE,
)
_FILLERS = frozenset({
    "a", "an", "the", "is", "are", "am", "be", "was", "of", "to", "in", "at", "on", "and", "or", "my", "i",
    "user", "user's", "likes", "loves", "lives", "named", "called", "has", "have", "wants", "want",
    "prefers", "prefer", "works", "work", "speaks", "with", "for", "as", "that", "from", "by", "not", "very",
})  # fmt: skip
_LIKING = re.compile(
    r"^(?:don't |do not |can't |cannot )?(?:love|like|enjoy|prefer|adore|hate|dislike|detest|stand|into|a (?:big "
    r"|huge )?fan of)s?\b",
    re.IGNORECASE,
)
_EMPTY = frozenset({
    "it", "this", "that", "them", "these", "those", "he", "she", "they", "you", "me", "him", "her", "us",
    "here", "there", "something", "anything", "nothing", "someone", "everything", "one", "ones", "thing",
    "things", "stuff", "lot", "much", "more", "all", "any", "some", "yes", "no", "ok", "okay", "fine", "good",
    "sure", "home", "work", "first", "second", "third", "other", "latter", "last", "next", "option", "version", "idea",
    "answer", "where", "how", "what", "when", "going", "way", "so",
})  # fmt: skip


def judge(
    turn: Interaction, candidates: Sequence[Candidate], around: Surroundings, is_secret: SecretFinder
) -> list[Judged]:
    """Return what becomes of each candidate, each under the key that it is stored with; one for a key is kept at most.

    Of those that would be kept under one key the last one counts, as the last word of the user.
    """
    gate = _Gate(turn, around, is_secret)
    judged = [gate.judge(candidate) for candidate in candidates[:_MOST_CANDIDATES]]
    latest = {each.candidate.key: at for at, each in enumerate(judged) if each.verdict is Verdict.KEPT}
    return [
        replace(each, verdict=Verdict.NOT_WORTH_KEEPING)
        if each.verdict is Verdict.KEPT and latest[each.candidate.key] != at
        else each
        for at, each in enumerate(judged)
    ]


class _Gate:
    """The gate of one turn."""

    def __init__(self, turn: Interaction, around: Surroundings, is_secret: SecretFinder) -> None:
        self._turn, self._around, self._is_secret = turn, around, is_secret
        self._text = straight(turn.input[:MAX_CHARACTERS])
        self._foreign = foreign_parts(self._text)
        self._said = Said(around)
        self._own = own_words(self._text, self._foreign)
        self._playing = in_a_play([*map(_own_words, around.staged), self._own])

    def judge(self, candidate: Candidate) -> Judged:
        key = canonical(candidate.key, candidate.value)
        value = " ".join(straight(candidate.value).split()).strip(" .,;:!?\"'\u201c\u201d")
        named = replace(candidate, key=key.name, value=value, importance=min(1.0, max(0.0, candidate.importance)))
        if key.topic is not None:
            named = replace(named, category=key.topic.category, importance=key.topic.importance)
        if any(
            map(self._is_secret, (candidate.quote, f"{candidate.key}: {candidate.value}", self._around_of(candidate)))
        ):
            hidden = replace(named, key=key.name if not self._is_secret(f"{key.name}: x1") else "secret")
            return Judged(replace(hidden, value=_HIDDEN, quote=_HIDDEN), Verdict.NOT_WORTH_KEEPING)
        verdict = self._verdict(named, key)
        if verdict is Verdict.KEPT:  # cited as it stands in the turn
            at = self._text.find(straight(candidate.quote))
            named = replace(named, quote=self._turn.input[at : at + len(candidate.quote)])
        return Judged(named, verdict)

    def _around_of(self, candidate: Candidate) -> str:
        at = self._text.find(straight(candidate.quote)) if candidate.quote else -1
        if at < 0:
            return ""
        whole = sentence_around(self._text, Span(at, at + len(candidate.quote)))
        return self._text[whole.start : whole.end]

    def _verdict(self, candidate: Candidate, key: Key) -> Verdict:
        if self._turn.origin is not Origin.USER or not self._speaks_the_user():
            return Verdict.NOT_THE_USER
        places = list(self._places(straight(candidate.quote)))
        if not places or not key.name or not words(candidate.value):
            return Verdict.UNSUPPORTED
        own = [place for place in places if not any(place.meets(part) for part in self._foreign)]
        if not own:
            return Verdict.NOT_THE_USER
        verdicts = [self._verdict_at(place, candidate, key) for place in own]
        return Verdict.KEPT if Verdict.KEPT in verdicts else verdicts[0]

    def _speaks_the_user(self) -> bool:
        name = self._around.known.get("name")
        speaker = self._turn.speaker.casefold()
        return not speaker or speaker in {self._turn.owner.user.casefold(), name.value.casefold() if name else ""}

    def _places(self, quote: str) -> Iterator[Span]:
        if not quote.strip() or len(quote.encode()) > _LONGEST_QUOTE_BYTES:
            return
        at = -1
        for _ in range(_MOST_PLACES):
            at = self._text.find(quote, at + 1)
            if at < 0:
                return
            before, after = self._text[at - 1 : at], self._text[at + len(quote) : at + len(quote) + 1]
            if not (_runs_on(before, quote[0]) or _runs_on(quote[-1], after)):
                yield Span(at, at + len(quote))

    def _verdict_at(self, place: Span, candidate: Candidate, key: Key) -> Verdict:
        value = _value_in(self._text, place, candidate.value) or place
        sentence = Sentence(self._text, sentence_around(self._text, value), place, value)
        line = self._text[self._text.rfind("\n", 0, place.start) + 1 :].split("\n", 1)[0]
        if self._said.holds(sentence.quote, candidate.value, key.name, line):
            return Verdict.RECALLED
        if is_reported(sentence):
            return Verdict.NOT_THE_USER
        if self._playing or is_joking(self._own, sentence.text):
            return Verdict.NOT_MEANT
        if not _supported(candidate.value, sentence, key, self._corrected(key)):
            return Verdict.UNSUPPORTED
        if not is_of_the_user(sentence, key) and not self._is_correction(sentence, key):
            return Verdict.NOT_WORTH_KEEPING
        if not is_meant(sentence, key):
            return Verdict.NOT_MEANT
        # Who is visiting today is a relative for ever.
        if not (key.relative or is_lasting(sentence)) or not _is_worth(candidate, sentence.text):
            return Verdict.NOT_WORTH_KEEPING
        return Verdict.KEPT

    def _corrected(self, key: Key) -> str:
        """Return the value that the key has now: a correction may name that instead of what it is about."""
        known = self._around.known.get(key.name)
        return known.value if known else ""

    def _is_correction(self, sentence: Sentence, key: Key) -> bool:
        """Tell whether the sentence sets right what is known: "it is Paris, not Lyon"."""
        known = self._corrected(key)
        denied = re.search(r"\bnot (.+)", sentence.after, re.IGNORECASE)
        about = re.search(r"\b(?:it|that)(?:'s| is)\s*$", sentence.before.rstrip(), re.IGNORECASE)
        return bool(known and denied and about) and known.casefold() in denied[1].casefold() if denied else False


def _runs_on(one: str, other: str) -> bool:
    """Tell whether a word goes on from one character to the other."""
    return bool(one and other) and (one + other).isalnum()


def _own_words(text: str) -> str:
    cut = straight(text[:MAX_CHARACTERS])
    return own_words(cut, foreign_parts(cut))


def _value_in(text: str, place: Span, value: str) -> Span | None:
    """Return where in the quote the value stands, word by word; None if only its parts do."""
    parts = r"[\W_]+".join(map(re.escape, words(value)))
    found = re.compile(rf"\b{parts}\b", re.IGNORECASE).search(text, place.start, place.end) if parts else None
    if found:
        return Span(*found.span())
    heard = [
        match for match in re.compile(r"\w+").finditer(text, place.start, place.end)
        if any(alike(word, match[0].casefold()) for word in words(value) if word not in _FILLERS)
    ]  # fmt: skip
    return Span(heard[0].start(), heard[-1].end()) if heard else None


def _supported(value: str, sentence: Sentence, key: Key, known: str) -> bool:
    """Tell whether the quote holds the value's words, and it or its clause the words that such a fact is told with."""
    heard = words(sentence.quote)
    wanted = [word for word in words(value) if word not in _FILLERS]
    if not wanted or not all(any(alike(word, each) for each in heard) for word in wanted):
        return False
    clause = sentence.clause_before + sentence.value + sentence.clause_after
    if key.topic is None or any(map(key.topic.told.search, (sentence.quote, clause))):
        return True
    return bool(known) and known.casefold() in sentence.text.casefold()


def _is_worth(candidate: Candidate, sentence: str) -> bool:
    empty = all(word in _EMPTY or word in _FILLERS for word in words(_LIKING.sub("", candidate.value)))
    if empty or len(candidate.value) > _LONGEST_VALUE:
        return False
    return not any(_POWER.search(text) for text in (candidate.key.replace("_", " "), candidate.value, sentence))
