"""The names of facts that people commonly tell of themselves, and the words that such a fact is told with. Pure.

Owns the canonical keys, so that what is said twice meets under one key, whoever found it: "I moved to Paris" replaces
where somebody lived. A key that may have several values at once carries its value: `likes_tea` beside `likes_jazz`.
"""

import re
from dataclasses import dataclass

from memory_service.domain.model import FactCategory
from memory_service.domain.own_words import words

__all__ = ["RELATIVES", "Key", "Topic", "canonical"]

_LONGEST = 100

RELATIVES = frozenset({
    "wife", "husband", "spouse", "partner", "girlfriend", "boyfriend", "fiance", "fiancee", "mother", "mom",
    "mum", "father", "dad", "son", "daughter", "child", "baby", "brother", "sister", "sibling", "twin", "uncle",
    "aunt", "cousin", "nephew", "niece", "grandmother", "grandma", "grandfather", "grandpa", "dog", "cat",
    "rabbit", "hamster", "parrot", "horse", "pet", "kitten", "puppy",
})  # fmt: skip
"""Those near to the user of whom it is worth knowing a name."""


@dataclass(frozen=True, slots=True)
class Topic:
    """What a kind of fact is about. `told` matches the words that it is told with; `many`: several stand at once."""

    category: FactCategory
    importance: float
    told: re.Pattern[str]
    many: bool = False
    wish: bool = False
    """It is about what somebody wants, so that saying "I want to" says it."""
    taste: bool = False
    """It may be told by a denial: "I do not like"."""
    order: bool = False
    """It may be told as a request: "answer in French"."""


@dataclass(frozen=True, slots=True)
class Key:
    """The key of a fact, and its topic if it is one of the known."""

    name: str
    topic: Topic | None
    relative: str = ""
    """Who near to the user it is about."""


def _topic(told: str, category: FactCategory, importance: float, **more: bool) -> Topic:
    return Topic(category, importance, re.compile(rf"\b(?:{told})", re.IGNORECASE), **more)


_PROFILE, _PREFERENCE, _GOAL = FactCategory.PROFILE, FactCategory.PREFERENCE, FactCategory.GOAL
_I_AM = r"i'?m|i am"

_TOPICS = {
    "name": _topic(rf"name|call(?:ed)? me|{_I_AM}|this is|go by", _PROFILE, 0.9),
    "home": _topic(
        r"liv(?:e|es|ed|ing)\b(?! for\b| like\b)|home|based|mov(?:e|ed|ing)|relocat|resid|settled", _PROFILE, 0.8
    ),
    "hometown": _topic(r"born|grew up|from|raised|native", _PROFILE, 0.6),
    "employer": _topic(r"work|job|employ|join|hired|start|company|at\b|for\b", _PROFILE, 0.7),
    "job": _topic(rf"{_I_AM}|work|job|profession|occupation|becam|promoted|as an?\b", _PROFILE, 0.7),
    "age": _topic(rf"years?\b|age|turn|{_I_AM}", _PROFILE, 0.6),
    "birthday": _topic(r"birth|born", _PROFILE, 0.7),
    "email": _topic(r"e-?mail|reach|contact", _PROFILE, 0.6),
    "timezone": _topic(r"time ?zone|utc|gmt", _PROFILE, 0.6),
    "marital_status": _topic(r"married|single|engaged|divorced|widow|relationship", _PROFILE, 0.6),
    "children": _topic(r"kids?|child|sons?|daughters?|father of|mother of|parent", _PROFILE, 0.6),
    "education": _topic(r"stud|graduat|degree|university|school|college|phd|majored", _PROFILE, 0.5),
    "language": _topic(r"speak|language|fluent|native|mother tongue|bilingual", _PROFILE, 0.5, many=True),
    "diet": _topic(r"vegetarian|vegan|pescatarian|halal|kosher|diet|eat|gluten|lactose", _PREFERENCE, 0.8, taste=True),
    "allergy": _topic(r"allerg|intoleran", _PREFERENCE, 0.9, many=True),
    "likes": _topic(
        r"lik|lov|enjoy|prefer|hate|dislik|detest|adore|fan of|into\b|can'?t stand|cannot stand|favou?r|don'?t"
        r"|do not|rather"
        r"|hobb|never|can'?t (?:eat|drink)|cannot (?:eat|drink)",
        _PREFERENCE,
        0.5,
        many=True,
        taste=True,
    ),
    "answer_language": _topic(r"answer|repl|respon|write|speak|talk", _PREFERENCE, 0.8, order=True),
    "answer_style": _topic(r"answer|repl|respon|explain|keep|brief|short|detail", _PREFERENCE, 0.7, order=True),
    "goal": _topic(
        r"want(?:s|ed)? to|would like|'d like|goal|plan|train|saving|study|prepar|dream|aim|hop(?:e|ing)|learning"
        r"|working on"
        r"|trying|wish",
        _GOAL,
        0.7,
        many=True,
        wish=True,
    ),
}
_RELATIVE = _topic(rf"(?:{'|'.join(sorted(RELATIVES))})", _PROFILE, 0.6)
_FAVORITE = _topic(r"favou?rite|best|most", _PREFERENCE, 0.6)

_OTHER_NAMES = {
    "name": "user_name full_name first_name nickname preferred_name",
    "home": "city location residence lives_in current_city home_city place_of_residence town country address "
    "residence_city current_location home_location lives where_lives",
    "hometown": "birthplace place_of_birth origin home_town from born_in",
    "employer": "company workplace works_at works_for current_employer organization organisation",
    "job": "occupation profession job_title title work position career",
    "age": "years_old user_age",
    "birthday": "birth_date birthdate date_of_birth dob",
    "email": "email_address mail",
    "timezone": "time_zone",
    "marital_status": "relationship_status",
    "children": "kids number_of_children",
    "education": "university school studies degree",
    "language": "languages speaks spoken_language",
    "diet": "dietary_preference dietary_restriction diet_preference",
    "allergy": "allergies allergic_to",
    "likes": "like preference preferences loves enjoys hobby hobbies interest interests dislikes dislike hates prefers",
    "answer_language": "preferred_language response_language reply_language",
    "answer_style": "response_style communication_style",
    "goal": "goals plan plans wants_to ambition learning wants aim",
}
_CANONICAL = {other: name for name, others in _OTHER_NAMES.items() for other in [name, *others.split()]}


def canonical(key: str, value: str) -> Key:
    """Return the key that a fact gets, whatever its finder called it; an empty name for one that cannot be named."""
    slug = _slug(key)
    for prefix in ("user_s_", "users_", "user_", "the_user_", "my_"):
        slug = slug.removeprefix(prefix) or slug
    slug = slug.replace("favourite", "favorite")
    if slug.startswith("favorite_") and slug != "favorite_":
        return Key(slug[:_LONGEST], _FAVORITE)
    base = _CANONICAL.get(slug) or next((name for name in _MANY if slug.startswith(f"{name}_")), "")
    if base:
        topic = _TOPICS[base]
        name = f"{base}_{_slug(_object(value))}"[:_LONGEST].rstrip("_") if topic.many else base
        return Key(name, topic)
    for suffix in ("_name", "_s_name"):
        if slug.removesuffix(suffix) in RELATIVES:
            slug = slug.removesuffix(suffix)
    if slug in RELATIVES:
        return Key(slug, _RELATIVE, slug)
    return Key(slug[:_LONGEST], None, next((part for part in slug.split("_") if part in RELATIVES), ""))


_MANY = [name for name, topic in _TOPICS.items() if topic.many]
_NO_OBJECT = frozenset({
    "i", "a", "an", "the", "to", "my", "of", "in", "on", "for", "and", "is", "am", "be", "like", "likes",
    "love", "loves", "enjoy", "enjoys", "prefer", "prefers", "hate", "hates", "dislike", "dislikes", "adore",
    "adores", "allergic", "allergy", "really", "very", "much", "not", "do", "don't", "does", "doesn't", "can't",
    "cannot", "stand", "never", "eat", "eating", "drink", "speak", "speaks", "fluent", "want", "wants", "fan",
    "big", "into", "also",
})  # fmt: skip


def _object(value: str) -> str:
    """Return what a taste or a wish is about, the same for "love tea" and "hate tea": one replaces the other."""
    kept = [word for word in words(value) if word not in _NO_OBJECT]
    return " ".join(kept[:6]) or value


def _slug(text: str) -> str:
    return "_".join(word.replace("'", "") for word in words(text.replace("_", " ")))
