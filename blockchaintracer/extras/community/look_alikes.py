"""Names that people could take for each other (after Unicode Technical Standard 39)."""

from __future__ import annotations

import unicodedata

from blockchaintracer.core.manifest.predicates import plain_name

_SCRIPTS = frozenset({"LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "CHEROKEE", "COPTIC"})
"""Scripts whose letters look like those of another one here."""
_ALIKE = {
    "a": "\u0430\u03b1",
    "b": "\u0432\u03b2",
    "c": "\u0441",
    "d": "\u0501",
    "e": "\u0435\u03b5",
    "h": "\u043d\u04bb\u03b7",
    "j": "\u0458",
    "k": "\u043a\u03ba",
    "l": "\u0456\u0131\u03b9i1|!",
    "m": "\u043c\u03bc",
    "n": "\u03bd",
    "o": "\u043e\u03bf0",
    "p": "\u0440\u03c1",
    "q": "\u051b",
    "s": "\u0455$5",
    "t": "\u0442\u03c4",
    "w": "\u051d",
    "x": "\u0445\u03c7",
    "y": "\u0443\u03c5",
    "z": "\u03b6",
}
"""Letters in lower case and digits that look like a Latin one, in this or in their upper case."""
_TABLE = {ord(letter): latin for latin, letters in _ALIKE.items() for letter in letters}


def checked_name(text: str) -> str:
    """Return a name as it is.

    Raises:
        ValueError: if it has characters that nobody sees, is not composed, or mixes scripts that look alike.
    """
    plain_name(text)
    scripts = {unicodedata.name(letter, "").split(" ")[0] for letter in text if letter.isalpha()} & _SCRIPTS
    if len(scripts) > 1:
        raise ValueError(f"a name in one script, not in {' and '.join(sorted(scripts)).title()}")
    return text


def skeleton(text: str) -> str:
    """Return what is left of a name if case, accents, punctuation and what looks alike make no difference."""
    plain = unicodedata.normalize("NFKD", text).casefold().translate(_TABLE)
    bare = "".join(it for it in unicodedata.normalize("NFKD", plain) if unicodedata.category(it)[0] in "LN")
    return bare.replace("rn", "m").replace("vv", "w")
