"""Names that people could take for each other (after Unicode Technical Standard 39)."""

from __future__ import annotations

import re
import unicodedata

from blockchaintracer.core.manifest.predicates import plain_name

_READ = re.compile(
    "LATIN|GREEK|CYRILLIC|ARMENIAN|HEBREW|ARABIC|THAANA|DEVANAGARI|BENGALI|GURMUKHI|GUJARATI|ORIYA|TAMIL|TELUGU|KANNADA"
    "|MALAYALAM|SINHALA|THAI|LAO|TIBETAN|MYANMAR|GEORGIAN|HANGUL|ETHIOPIC|KHMER|HIRAGANA|KATAKANA|BOPOMOFO|CJK"
    "|MODIFIER|IDEOGRAPHIC|MICRO|FEMININE|MASCULINE|HALFWIDTH|FULLWIDTH"
)
"""Scripts that Unicode recommends for names (UAX 31, table 5), by the first words of their letters' names. Letters of
others, such as Lisu and Cherokee, are drawn as Latin ones."""
_LATIN = re.compile(r"LATIN (?:SMALL LETTER|LETTER SMALL CAPITAL|SMALL LETTER SCRIPT) ([A-Z])(?: WITH .*)?")
_SCRIPTS = frozenset({"LATIN", "GREEK", "CYRILLIC", "ARMENIAN"})
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
    "l": "\u0456\u0131\u03b9\u04cfi1|!",
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
        ValueError: if it has characters that nobody sees, is not composed, mixes scripts that look alike, or is in one
            that is used in few names.
    """
    plain_name(text)
    used = {re.split("[ -]", unicodedata.name(letter, "?"))[0] for letter in text if letter.isalpha()}
    if unread := {script for script in used if not _READ.fullmatch(script)}:
        raise ValueError(f"a name in letters that people read in names, got {', '.join(sorted(unread)).title()}")
    scripts = used & _SCRIPTS
    if len(scripts) > 1:
        raise ValueError(f"a name in one script, not in {' and '.join(sorted(scripts)).title()}")
    return text


def skeleton(text: str) -> str:
    """Return what is left of a name if case, accents, punctuation and what looks alike make no difference."""
    plain = "".join(map(_latin, unicodedata.normalize("NFKD", text).casefold())).translate(_TABLE)
    bare = "".join(it for it in unicodedata.normalize("NFKD", plain) if unicodedata.category(it)[0] in "LN")
    return bare.replace("rn", "m").replace("vv", "w")


def _latin(letter: str) -> str:
    """Return the plain letter of one with a stroke or hook, or of a small capital, which have no decomposition."""
    match = None if letter.isascii() else _LATIN.fullmatch(unicodedata.name(letter, ""))
    return match[1].lower() if match else letter
