"""How a sentence says something: of whom, and whether it is meant. English, by its small words. Pure.

Owns the questions that the gate asks of a sentence. Where the words leave a doubt, it is not meant.
"""

import re

from memory_service.domain.keys import RELATIVES, Key
from memory_service.domain.own_words import Span, words

__all__ = ["Sentence", "is_lasting", "is_meant", "is_of_the_user", "is_reported"]

_PEOPLE = (
    "friend", "colleague", "coworker", "co-worker", "boss", "neighbour", "neighbor", "manager", "teacher",
    "doctor", "landlord", "roommate", "flatmate", "client", "customer", "agent", "assistant", "character",
    "team", "company", "employer", "school", "city", "country", "name's", "parents", "kids", "children",
    "family", "ex", "in-laws",
)  # fmt: skip
_OTHERS = "|".join(sorted({*RELATIVES, *_PEOPLE}, key=len, reverse=True))
_VERBS = (
    "lives|works|is|was|moved|loves|likes|hates|has|wants|speaks|prefers|said|says|thinks|claims|told|wrote|enjoys|studies"
    "|plays|turned|turns|became|started|got|grew|and|will|can|would"
)
_SUBJECT = re.compile(
    rf"(?P<other>\b(?i:my|our) (?:[\w-]+ ){{0,2}}?(?:{_OTHERS})(?:'?s)?\b"
    r"|\b(?i:he|she|they|you|your|his|her|their|its|who|whose|someone|somebody|everyone|people|u)\b"
    r"|\b(?i:the|this|that|an?) (?:user|person|customer|human|guy|man|woman|article|author|client|page|document)\b"
    r"|\b(?i:user|customer)\b|\b(?:that|which) \w+(?:s|ed)\b"
    rf"|\b(?!I\b)[A-Z]\w+ (?:{_VERBS})\b(?! I\b| i\b))"
    r"|(?P<own>\b(?:[Ii]|[Ii]'\w+|[Ii]m|[Ii]ve|[Mm]e|[Mm]y|[Mm]ine|[Mm]yself|[Ww]e|[Ww]e'\w+|[Oo]ur|[Uu]s)\b)"
)
_REPORTED = re.compile(
    r"\b(?:(?:(?i:he|she|they|you|it|people|everyone|somebody|someone|everybody)|[A-Z]\w+"
    r"|(?i:my|the|your|an?|this) [\w-]+(?: [\w-]+)?)"
    r" (?:said|says|say|told|tells|thinks?|thought|believes?|claims?|claimed|wrote|writes|replied|mentions?|mentioned"
    r"|insists?|assumed?|guessed?|remembers?|recalled|noted|states?|stated|suggests?|suggested|keeps? saying"
    r"|call(?:s|ed)? it)"
    r"|(?i:according to|apparently|supposedly|allegedly|rumou?r has it)|(?i:the) (?:quote|line|lyrics|phrase"
    r"|sentence|word))\b"
)
_TOLD_ME_NAMES = re.compile(
    r"\b(?:friends|people|everyone|everybody|they|colleagues|you can|you may) call me\b", re.IGNORECASE
)

_IS_MINE = re.compile(rf"\W*(?:is|are|was) (?:now )?(?:my|mine|our)\b(?! (?:[\w-]+ )?(?:{_OTHERS})\b)")
_POLITE = re.compile(
    r"^\W*(?:(?:hi|hello|hey|ok|okay|well|also|and|so|please|thanks)\W+)*(?:(?:can|could|would|will) you )?(?:please )?"
    r"(?:remember|note|keep in mind|bear in mind|know|make a note|save|store)(?: for (?:later|next time))?(?: that"
    r"|:|,)? "
    r"|\b(?:just )?so you know,? |\byou should (?:know|note|remember)(?: that)? |\bfor your information,? ",
    re.IGNORECASE,
)
_SUPPOSED = re.compile(
    r"\b(?:if(?! (?:that|it)(?:'s| is| helps| matters)\b| you (?:must|need|wonder))|suppos(?:e|ing|edly)|imagin(?:e"
    r"|ing)"
    r"|assum(?:e|ing)|say i\b|let'?s say|hypothetical(?:ly)?|pretend(?:ing)?|as if|as though|unless|in case|wish|might"
    r"|maybe|perhaps|possibly|probably|dreamt|dreamed|in (?:my|a|the) dream|almost|nearly|consider(?:ing)?|whether"
    r"|thinking (?:of|about)|feel like|as good as|like i(?:'m| am)|not sure|guess|unsure|pretty sure|once i|when i"
    r"|would(?! you)|could(?! you)|i'd|should)\b",
    re.IGNORECASE,
)
_WISHED = re.compile(
    r"\b(?:want(?:ed|s)? to|wanna|going to|gonna|plan(?:s|ning|ned)? (?:to|on)|hop(?:e|ing) to|about to|would like"
    r"|dream of|looking to|trying to|aim to|i'll|i will|intend to|thinking of|need to|have to|love to|like to)\b",
    re.IGNORECASE,
)
_WISH_WORDS = re.compile(r"\b(?:i would|i'd) (?:like|love|rather|prefer)\b|\bi (?:wish|dream)\b", re.IGNORECASE)
_TASTE_WORDS = re.compile(r"\b(?:i would|i'd) (?:rather|prefer)\b|\blik(?:e|ing) to\b|\blove to\b", re.IGNORECASE)
_CRAVING = re.compile(r"\b(?:would|'d) (?:really )?(?:like|love)\b", re.IGNORECASE)
_OVER = re.compile(
    r"\b(?:used to|no longer|any ?more|no more|formerly|former|when i was|as a (?:child|kid|teenager|boy|girl)"
    r"|back (?:in|when)|years ago|until (?:19|20)\d\d|i (?:lived|worked|had|was)\b(?! born| raised| hired"
    r"| promoted)|i'?ve left|i left"
    r"|(?:i|we) once)\b",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"(?:\b(?:not|never|neither|nor|hardly|without|cannot|cant|dont|isnt|arent|wont|didnt|deny|false|wrong|untrue"
    r"|incorrect|quit|stopped|except)\b|n't\b)",
    re.IGNORECASE,
)
_DENYING_VALUE = re.compile(r"\b(?:not|no|never|dislik|hat|avoid|can'?t|cannot|stand|detest)|n't\b", re.IGNORECASE)
_CLAUSE = re.compile(
    r"[,;:\u2014\u2013(]|\s-\s|\b(?:but|however|though|although|because|since|so|then)\b|\band(?= (?:i|my|we|not|he"
    r"|she|they)\b)",
    re.IGNORECASE,
)
_ASKING = re.compile(
    r"\b(?:what|which|where|when|who|whom|how|why|can|could|would|should|do|does|did|is|are|will|any|shall|have you"
    r"|isn't|am i|right|correct|ok|okay)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"^\W*(?:(?:hi|hello|hey|ok|okay|well|so|and|but|please|also)\W+)*(?:"
    r"(?:do|does|did|am|is|are|was|were|should|can|could|would|will|have|has|shall)(?:n't)? "
    r"(?:i|we|you|my|he|she|it|they|the|that|this|anyone|there)\b"
    r"|(?:where|what|when|who|why|how|which|whose)\b(?!ever)"
    r"|(?:tell me|guess|ask me|remind me|do you know|explain|define|translate|spell|write|draft|compose|generate|sing"
    r"|finish|repeat|read|say)\b)",
    re.IGNORECASE,
)
_PASSING = re.compile(
    r"\b(?:today|tonight|tomorrow|right now|at the moment|this (?:morning|afternoon|evening|week(?:end)?|month|time)"
    r"|for (?:lunch|dinner|breakfast|now)|in a (?:minute|moment|hurry)|just now|currently (?:at|in the|on)"
    r"|on my way|soon"
    r"|next (?:week|month|weekend)|for (?:a|one|two|three|\d+) (?:days?|weeks?|nights?|hours?))\b",
    re.IGNORECASE,
)


class Sentence:
    """A sentence of a text, seen from the words of it that say something: the quote, and the value in it."""

    def __init__(self, text: str, whole: Span, quote: Span, value: Span) -> None:
        self.text = text[whole.start : whole.end]
        self.quote = text[quote.start : quote.end]
        self.before = text[whole.start : value.start]
        """What stands before the value."""
        self.value = text[value.start : value.end]
        self.after = text[value.end : whole.end]
        start = max((match.end() for match in _CLAUSE.finditer(self.before)), default=0)
        end = _CLAUSE.search(self.after)
        self.clause_before = self.before[start:]
        """The same from the beginning of the value's clause."""
        self.clause_after = self.after[: end.start()] if end else self.after


def is_of_the_user(sentence: Sentence, key: Key) -> bool:
    """Tell whether the sentence tells the fact of the user, and in the user's name."""
    if key.topic is not None and key.topic.order:
        return True
    before = _POLITE.sub("", sentence.before)
    if key.relative:
        relative = re.compile(rf"\b(my|our|an?|the) (?:[\w-]+ ){{0,2}}?{key.relative}\b(?!'s (?!name))", re.IGNORECASE)
        found = relative.search(sentence.text)
        return found is not None and (found[1].casefold() in {"my", "our"} or _first_person(sentence.text))
    told = list(_SUBJECT.finditer(_TOLD_ME_NAMES.sub("i go by", before)))
    if told:
        # "My company" is somebody else, but where the user works it is the user's.
        nearest = told[-1]
        mine = nearest[0][:2].casefold() in {"my", "ou"}
        return nearest.lastgroup == "own" or (mine and bool(key.topic and key.topic.told.search(nearest[0])))
    return _IS_MINE.match(sentence.after) is not None


def is_reported(sentence: Sentence) -> bool:
    """Tell whether the sentence repeats what somebody else said."""
    return _REPORTED.search(_TOLD_ME_NAMES.sub("", _POLITE.sub("", sentence.before))) is not None


def _first_person(text: str) -> bool:
    return any(match.lastgroup == "own" for match in _SUBJECT.finditer(text))


def is_meant(sentence: Sentence, key: Key) -> bool:
    """Tell whether the sentence says so: it does not ask, suppose, wish for it, deny it or tell what is over."""
    topic = key.topic
    before, value = _POLITE.sub("", sentence.before), sentence.value
    if _asks(sentence, before):
        return False
    supposed = before
    if topic is not None and topic.wish:
        supposed = _WISH_WORDS.sub("", before)
    elif topic is not None and topic.taste:
        if _CRAVING.search(before):
            return False
        supposed = _TASTE_WORDS.sub("", before)
    if _SUPPOSED.search(supposed):
        return False
    if topic is None or not (topic.wish or topic.taste or topic.order):
        if _WISHED.search(before):
            return False
        if _OVER.search(sentence.clause_before) or re.search(r"\b(?:any ?more|until (?:19|20)\d\d)\b", sentence.after):
            return False
    elif re.search(r"\b(?:used to|no longer|any ?more|when i was|as a (?:child|kid))\b", sentence.text, re.IGNORECASE):
        return False
    if topic is not None and topic.wish:
        return re.search(r"\b(?:not|never|n't)\b|n't\b", sentence.clause_before, re.IGNORECASE) is None
    if topic is not None and topic.taste and _DENYING_VALUE.search(value):
        return True
    return _DENIED.search(sentence.clause_before + value) is None


def _asks(sentence: Sentence, before: str) -> bool:
    if _ASKS.match(before) or _ASKS.match(_POLITE.sub("", sentence.clause_before)):
        return True
    if not sentence.text.rstrip(" \"'\u201d)").endswith("?"):
        return False
    # "I live in Paris, what can I see?" states before it asks; "I live in Paris, right?" asks.
    if _POLITE.match(sentence.before):
        return False
    breaks = _CLAUSE.search(sentence.after)
    rest = words(sentence.after[breaks.end() :]) if breaks else []
    if len(rest) < 3 or rest[0] in {"right", "correct", "isn't", "don't", "doesn't", "am"}:
        return True
    return _ASKING.search(" ".join(rest)) is None


def is_lasting(sentence: Sentence) -> bool:
    """Tell whether the sentence speaks of more than this moment."""
    return _PASSING.search(sentence.clause_before + sentence.value + sentence.clause_after) is None
