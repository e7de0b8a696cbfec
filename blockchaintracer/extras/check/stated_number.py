"""Numbers as people write them, read whole or not at all: with groups, powers of ten, percent and uncertainty."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal, localcontext
from unicodedata import normalize

from blockchaintracer.core.errors import InputError

_LONGEST = 200
_LARGEST = 400
"""The largest power of ten that is read. A float's is 308."""
_EXACT = 2 * (_LONGEST + _LARGEST)

_TO_LATEX = (
    (r"\\(?:textbf|mathbf|boldsymbol|bm|emph|textit|mathrm|text|num|ensuremath)\s*\{([^{}]*)\}", r"\1"),
    (r"\\[,;: ]|~", "\u2009"),
    (r"\\!|\\[()]|\$", ""),
    (r"\{,\}", ","),
    (r"\\%", "%"),
    (r"\\pm(?![A-Za-z])", "±"),
    (r"\\(?:times|cdot)(?![A-Za-z])", "\u00d7"),
    (r"\^\s*\{\s*([-+\u2212]?[0-9]+)\s*\}", r"^\1"),
)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_TO_PLAIN = (
    ("\u2212", "-"),
    (r"(?<=[0-9])E(?=[-+]?[0-9])", "e"),
    # E for a power that is written out: it may stand for value and uncertainty together
    (r"(?<=[0-9)])\s*[x\u00d7·*]\s*10\s*\^\s*([-+]?[0-9]+)", r"E\1"),
    (r"\s*(?:±|\+/-|\+-)\s*", "±"),
    (r"\s+%", "%"),
)
_POWER = "[eE][-+]?[0-9]+"


def _pattern(separators: str) -> re.Pattern[str]:
    digits = rf"(?:(?:[1-9][0-9]{{0,2}}(?:[{separators}][0-9]{{3}})+|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)"
    uncertainty = rf"±(?P<plus_minus>{digits})(?P<power_2>{_POWER})?"
    return re.compile(
        rf"(?P<open>\()?(?P<value>[-+]?{digits})(?:\((?P<last>[0-9]+(?:\.[0-9]+)?)\))?(?P<power_1>{_POWER})?"
        rf"(?P<percent_1>%)?(?:{uncertainty})?(?(open)\))(?P<power_3>{_POWER})?(?P<percent>%)?\s*\Z"
    )


_ALONE = _pattern(", \u00a0\u2009\u202f")
# in running text an ordinary space may stand between two numbers
_AT_THE_END = _pattern(",\u00a0\u2009\u202f")
_BETWEEN_DOLLARS = re.compile(r"\$([^$]*)\$\s*(\\?%?)\s*\Z")
_OPENS = "([{\"'\u201c\u2018\u00ab\u201e=:|~≈$€£"
_ENDED = re.compile(
    r"""(?:\s[-\u2013\u2014])?\s?\Z|[,;:!?.\u2026|\u2014]+(?:[\s"'\u201d\u2019\u00bb)\]}([]|[^\W\d_]|\Z)"""
    r"""|\s(?:[-\u2013\u2014]\s)?(?:[(["'\u201c\u2018\u00ab]+\d|[(["'\u201c\u2018\u00ab]*"""
    r"""(?!(?:[a-z\u03bc]|pp[mbt]|[bmt]n|pct|per|per(?:cent|mille?)|promille|hundred|thousand|[mbt]r?illion|times)\b"""
    r"""|[ex]\s?[-+\u2212]?[\d^])[^\W\d_])""",
    re.IGNORECASE,
)
"""What may stand behind a number: nothing, a mark of punctuation, or a word that does not change how much it is."""
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")
_CLOSES = ",;:=≈~|\u2014\"'\u201d\u2019\u00bb)]}!?."


@dataclass(frozen=True)
class Stated:
    """A number, as exact as its last digit.

    Args:
        written: in plain characters, without spaces.
        exact_to: half of its last digit: by as much a recorded number may differ.
        uncertainty: what stands behind ±, or in parentheses behind the last digit; as exact as its own last digit.
    """

    written: str
    value: Decimal
    exact_to: Decimal
    percent: bool
    uncertainty: Stated | None = None

    def rounds(self, recorded: float) -> bool:
        """Return whether this is a rounding of the recorded number. The uncertainty makes it no wider."""
        if not math.isfinite(recorded):
            return False
        with localcontext(prec=_EXACT):
            exact = Decimal(repr(recorded)) * (100 if self.percent else 1)
            return abs(exact - self.value) <= self.exact_to


def read_number(text: str) -> Stated:
    """Read a text that is a number and nothing else, in plain text or LaTeX."""
    return _number(_ALONE.match(_plain(_latex(text.strip()))) if len(text) <= _LONGEST else None, text)


def read_last_number(text: str, after: str = "") -> Stated:
    """Read the number that a running text ends with, and that nothing in the text behind it continues."""
    end = text.rstrip().rpartition("\n")[2]
    require_ended(after, end)
    if between := _BETWEEN_DOLLARS.search(end):
        require_apart(end[: between.start()], end)
        return read_number(between[1] + between[2])
    plain = _plain(end[-_LONGEST:])
    match = _AT_THE_END.search(plain)
    number = _number(match, end)
    assert match  # noqa: S101 -- it is read
    require_apart(("\0" if len(end) > _LONGEST else "") + plain[: match.start()], end)
    return number


def require_ended(after: str, text: str) -> None:
    """Refuse what could be the last part of a number: a digit, a unit, a percent sign, a power of ten."""
    line = re.sub(r"\s+", " ", normalize("NFKC", after.partition("\n")[0]))
    closed = line.lstrip(")]}\"'\u201d\u2019\u00bb")
    if not _ENDED.match(closed) or _DIRECTION.search(text + line):
        raise _unreadable(f"{text.strip()[-40:]} before {line.strip()[:20]}")


def require_apart(before: str, text: str) -> None:
    """Refuse what could be the first part of a number, of a word, of a range or of a bound."""
    word = before.rstrip()
    apart = not word
    if word and word != before:
        dash = (
            word[-1] in "-\u2013\u2014" and word[:-1] != word[:-1].rstrip() and not word[:-1].rstrip()[-1:].isnumeric()
        )
        apart = dash or word[-1] in _CLOSES or (word[-1].isalpha() and not re.search(r"[0-9]\s*[xX]\Z", word))
    elif word:
        apart = word[-1] in _OPENS and not word[-2:-1].isnumeric()
    if not apart:
        raise _unreadable(text)


def _number(match: re.Match[str] | None, text: str) -> Stated:
    if match is None or len({*re.findall("[, \u00a0\u2009\u202f]", match["value"])}) > 1:
        raise _unreadable(text)
    power, second, both = match["power_1"], match["power_2"], match["power_3"]
    uncertain = match["plus_minus"] or match["last"]
    if (
        (match["plus_minus"] and match["last"])
        # 1.2 ± 0.1 x 10^-3: of one, or of both?
        or (second and second[0] == "E" and not power)
        or (both and (power or second or not match["open"]))
        or (match["percent_1"] and match["plus_minus"] and not match["percent"])
        or (match["percent_1"] and not match["plus_minus"] and match["percent"])
    ):
        raise _unreadable(text)
    percent = bool(match["percent_1"] or match["percent"])
    value = _decimal(match["value"], power or both, percent, text)
    uncertainty = None
    if uncertain:
        with localcontext(prec=_EXACT):
            # 0.93(2) counts in units of the last digit, 12.3(1.5) does not
            in_last_digits = match["last"] and "." not in uncertain
            unit = value.exact_to * 2 if in_last_digits else Decimal(1)
            own = (power if match["last"] else second) or both
            uncertainty = _decimal(uncertain, None if in_last_digits else own, percent, text)
            uncertainty = Stated(uncertain, uncertainty.value * unit, uncertainty.exact_to * unit, percent)
    return Stated(match[0].strip(), value.value, value.exact_to, percent, uncertainty)


def _decimal(digits: str, power: str | None, percent: bool, text: str) -> Stated:
    ten = int(power[1:]) if power and len(power) <= 5 else 0
    if (power and len(power) > 5) or abs(ten) > _LARGEST:
        raise _unreadable(text)
    with localcontext(prec=_EXACT):
        value = Decimal(re.sub("[, \u00a0\u2009\u202f]", "", digits)).scaleb(ten)
    exponent = value.as_tuple().exponent
    # no digit of 0e5 counts
    if not isinstance(exponent, int) or (not value and exponent > 0):
        raise _unreadable(text)
    return Stated(digits, value, Decimal((0, (5,), exponent - 1)), percent)


def _latex(text: str) -> str:
    for _ in range(3):
        for pattern, new in _TO_LATEX:
            text = re.sub(pattern, new, text)
    return text


def _plain(text: str) -> str:
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+", lambda match: "^" + match[0].translate(_SUPERSCRIPTS), text)
    for pattern, new in _TO_PLAIN:
        text = re.sub(pattern, new, text)
    return text


def _unreadable(text: str) -> InputError:
    got = text.strip()
    return InputError(
        f"expected a number that stands by itself, got {'…' * (len(got) > 60)}{got[-60:]!r}",
        hint="Write 0.93, 93.4%, 12,345, 1.2e-3, 1.2 x 10^-3, 0.93 ± 0.02 or 0.93(2). What can be read in two ways is "
        "refused: 12 345 is one number only between backticks, dollars or braces.",
    )
