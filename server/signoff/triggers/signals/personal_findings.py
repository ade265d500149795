"""Personal data, told by its form, its check digits, the name of the field it stands in, and words for what is sensitive."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from itertools import islice
from typing import Any

from signoff.domain.secrets import holds_card_number
from signoff.triggers.signals.texts import TooMuch, named_texts

MAX_CHARS = 64 * 1024
"""Characters that are read."""
MAX_NUMERIC_CHARS = 16 * 1024
"""Characters in and around numbers, which cost ten times as much as prose."""
MAX_NAMES = 300
"""Different names of fields."""
MAX_NUMBERS = 300
"""Groups of digits and letters in one text that could be numbers of persons, 10 µs each."""

_EMAIL = re.compile(r"""@(?<=[\w.%+'"-]@)(?:[^\W_][\w-]{0,62}\.){1,9}[^\W\d_]{2,24}""")
_INTERNATIONAL = re.compile(r"(?<![\w+])(?:\+|(?<!\d )00)[1-9](?:[ ()./-]{0,2}\d){6,14}(?!\d)")
_AMERICAN = re.compile(r"(?<![\w.-])(?:\([2-9]\d\d\) ?|[2-9]\d\d[-. ])[2-9]\d\d[-. ]\d{4}(?![\w-])")
_SSN = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-])")
_LETTERS_AND_DIGITS = re.compile(
    r"\b[A-Za-z]{1,6} ?[0-9][A-Za-z0-9]*+(?:[ -][A-Za-z0-9]{1,4}(?![A-Za-z0-9])){0,8}"
)
_DIGIT_GROUPS = re.compile(r"(?<![\w.-])\d(?:[ ./-]?\d){7,17}(?:[ -]?[A-Za-z])?(?![\w-])")
_IP = re.compile(
    r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\d)|(?<![\w:])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])"
)
_DATE = re.compile(
    r"\b(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/. ]{1,2}(?:\d{1,2}|[A-Za-z]{3,9})[-/. ]{1,2}(?:19|20)\d\d)\b"
)
_DIGITS = re.compile(r"\d+")
BEFORE, AFTER = 12, 24
"""Characters around a digit that can belong to the same number."""
_BIRTH_LETTERS = ("born", "birth", "dob", "d.o", "gebor", "geburt", "naiss", "née", "né ", "nac", "nasc")
_BORN = re.compile(
    r"\b(?:born|birth|birthday|birthdate|d\.?o\.?b|geboren|geburtsdatum|geburtstag|naissance|née?|nacimiento|nacid[oa]|nascita)\b",
    re.IGNORECASE,
)
_FIELDS = {
    kind: re.compile(pattern, re.IGNORECASE)
    for kind, pattern in {
        "date_of_birth": r"birth|\bdob\b|geburt|naissance|nacimiento|nascita|nascimento",
        "phone": r"phone|mobile|\btel\b|telefon|handy|\bcell\b|\bfax\b|móvil|whatsapp|msisdn",
        "address": r"(?:street|postal|home|shipping|billing|mailing) ?address|street|strasse|straße|\bzip ?(?:code)?\b|post ?code|\bplz\b",
        "name": r"\b(?:first|last|full|sur|given|family|maiden|middle|customer|patient|passenger|holder|client|employee) ?names?\b"
        r"|vorname|nachname|apellido|\bsurname\b",
        "national_id": r"passport|national ?id|identity ?(?:card|number)|driver'?s? ?licen[cs]e|social ?security|\bssn\b|\bnino\b"
        r"|\btax ?(?:id|number)\b|\btin\b|steuer|personalausweis|reisepass|\bbsn\b|\bdni\b|\bnie\b|pesel|\bcpf\b|insee"
        r"|aadhaar|codice ?fiscale",
    }.items()
}
_SPECIAL_WORDS = {
    "health": "health diagnosis diagnosed disease illness cancer tumor tumour diabetes diabetic hiv aids hepatitis epilepsy "
    "depression depressed bipolar schizophrenia psychiatric psychiatrist therapy therapist pregnant pregnancy miscarriage "
    "abortion disability disabled medication prescription surgery chemotherapy patient hospital hospitalised hospitalized "
    "allergy allergies asthma dementia alzheimer autism adhd addiction rehab medical "
    "krankheit krank diagnose krebs schwanger schwangerschaft behinderung schwerbehindert therapie medikament patientin "
    "maladie cancer enceinte grossesse handicap enfermedad cáncer embarazada embarazo discapacidad",
    "religion": "religion religious muslim islam islamic christian catholic protestant jewish judaism hindu hinduism buddhist "
    "buddhism sikh atheist mormon church mosque synagogue "
    "konfession muslimisch katholisch evangelisch jüdisch musulman catholique juif juive musulmán católico judío",
    "politics": "political republican democrat communist socialist conservative "
    "parteimitglied politisch partido",
    "sexuality": "gay lesbian bisexual homosexual heterosexual transgender transsexual queer lgbt lgbtq homosexuell schwul lesbisch",
    "ethnicity": "ethnicity ethnic racial race hispanic caucasian roma sinti aboriginal ethnie herkunft",
    "union": "union unionist gewerkschaft gewerkschaftsmitglied syndicat sindicato betriebsrat",
    "biometrics": "biometric biometrics fingerprint fingerprints retina iris faceprint voiceprint biometrisch",
    "genetics": "genetic genome dna genotype genetisch",
    "crime": "convicted conviction convictions felony felon misdemeanor prison probation parole arrested offender vorbestraft "
    "vorstrafe casier condenado",
}  # fmt: skip
_SPECIAL = {word: kind for kind, words in _SPECIAL_WORDS.items() for word in words.split()}
_WORD = re.compile(r"[^\W\d_]+")
_UNION = re.compile(
    r"\b(?:trade|labou?r|workers'?) union|\bunion (?:member|rep|due|organi[sz])|\bunioni[sz]", re.IGNORECASE
)
_AMBIGUOUS = frozenset(
    {"union", "race", "iris", "conservative", "republican", "democrat", "patient", "church", "medical"}
)
"""Words that mean other things as well (credit union, race condition): they count as the name of a field only."""


def personal_data(value: Any) -> set[str]:
    """Return the kinds of personal data in a JSON value.

    Raises:
        TooMuch: More text than is read.
    """
    found: set[str] = set()
    texts: list[str] = []
    names: dict[str, frozenset[str]] = {}
    chars = 0
    for field, text in named_texts(value):
        chars += len(text) + 3
        if chars > MAX_CHARS:
            raise TooMuch(f"more than {MAX_CHARS} characters")
        if field:
            if field not in names:
                names[field] = _field_kinds(field)
                if len(names) > MAX_NAMES:
                    raise TooMuch(f"more than {MAX_NAMES} different names of fields")
            if names[field]:
                found |= _in_field(names[field], text)
        texts.append(text)
    # In one piece: a pattern costs the same per character, and far less per text. No form reaches over the boundary.
    return found | _by_form("\n\x00\n".join(texts))


def _field_kinds(field: str) -> frozenset[str]:
    """Return what the name of a field says that it holds: `dateOfBirth`, `phone-number`, `health`."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", field[:100]).replace("-", " ").replace("_", " ")
    found = {kind for kind, pattern in _FIELDS.items() if pattern.search(words)}
    return frozenset(
        found | {f"special:{_SPECIAL[word]}" for word in words.casefold().split() if word in _SPECIAL}
    )


def _in_field(kinds: frozenset[str], text: str) -> set[str]:
    """Return the kinds that a text can be of which the name of its field announces."""
    digits = sum(map(str.isdigit, text[:100]))
    needed = {"phone": 6, "date_of_birth": 1, "national_id": 4}
    found = {kind for kind in kinds if digits >= needed.get(kind, 0) and text.strip()}
    if "national_id" in found:
        number = re.sub(r"[ ./-]", "", text[:40]).upper()
        found |= {kind for kind, holds in WEAK.items() if holds(number)}
    return found


def _by_form(text: str) -> set[str]:
    found = {"email"} if _EMAIL.search(text) else set()
    numbers = _around_digits(text)
    found |= {kind for kind, holds in FORMS.items() if holds(numbers)}
    for run in _few(_LETTERS_AND_DIGITS, numbers):
        found |= _lettered(run[0])
    for run in _few(_DIGIT_GROUPS, numbers):
        digits = re.sub(r"[ ./-]", "", run[0]).upper()
        found |= {kind for kind, holds in STRONG.items() if kind not in found and holds(digits, run[0])}
    if holds_card_number(numbers):
        found.add("card")
    small = text.casefold()
    if any(word in small for word in _BIRTH_LETTERS) and any(
        _DATE.search(small, one.end(), one.end() + 60) for one in _few(_BORN, small)
    ):
        found.add("date_of_birth")
    special = {_SPECIAL[word] for word in set(_WORD.findall(small)) & _PLAIN_SPECIAL}
    if "union" in small and _UNION.search(small):
        special.add("union")
    return found | {f"special:{kind}" for kind in special}


def _around_digits(text: str) -> str:
    """Return the stretches of a text that hold digits, with what stands before and after them.

    Every number of a person's has digits, and prose has few: looking for ten forms in the rest would be waste.
    """
    made: list[str] = []
    start, end = 0, -1
    for run in _DIGITS.finditer(text):
        if run.start() - BEFORE > end:
            if end >= 0:
                made.append(text[start:end])
            start = max(0, run.start() - BEFORE)
        end = run.end() + AFTER
    if end >= 0:
        made.append(text[start:end])
    numbers = "\n".join(made)
    if len(numbers) > MAX_NUMERIC_CHARS:
        raise TooMuch(f"more than {MAX_NUMERIC_CHARS} characters in and around numbers")
    return numbers


_PLAIN_SPECIAL = frozenset(_SPECIAL) - _AMBIGUOUS


def _few(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
    """Return all matches of a pattern that costs time for each.

    Raises:
        TooMuch: There are more than are looked at.
    """
    made = list(islice(pattern.finditer(text), MAX_NUMBERS + 1))
    if len(made) > MAX_NUMBERS:
        raise TooMuch(f"more than {MAX_NUMBERS} groups of digits")
    return made


def _ip(text: str) -> bool:
    for found in _IP.finditer(text):
        try:
            address = ipaddress.ip_address(found[0])
        except ValueError:
            continue
        # Loopback, documentation and any-address belong to nobody.
        if not (address.is_loopback or address.is_unspecified or address.is_multicast):
            return True
    return False


FORMS: dict[str, Callable[[str], bool]] = {
    "phone": lambda text: bool(_INTERNATIONAL.search(text) or _AMERICAN.search(text)),
    "us_ssn": lambda text: bool(_SSN.search(text)),
    "ip": _ip,
}
"""Kinds that a text shows anywhere in it."""


_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "CH": 21, "CR": 22,
    "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22,
    "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IS": 26, "IT": 27, "JO": 30,
    "KW": 30, "KZ": 20, "LB": 28, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27,
    "MT": 31, "MU": 30, "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24,
    "SE": 24, "SI": 19, "SK": 24, "SM": 27, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip
"""Length by country (SWIFT's IBAN registry)."""


def _lettered(run: str) -> set[str]:
    """Return the kinds that begin with letters: IBAN (ISO 13616), NINO and codice fiscale."""
    text = re.sub(r"[ -]", "", run).upper()
    found = set()
    length = _IBAN_LENGTHS.get(text[:2], 0)
    if length and len(text) >= length and _is_iban(text[:length]):
        found.add("iban")
    if re.match(r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D](?![A-Z0-9])", text):
        found.add("uk_nino")
    if re.match(r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z](?![A-Z0-9])", text) and _is_codice_fiscale(
        text[:16]
    ):
        found.add("it_codice_fiscale")
    if re.match(r"[XYZ]\d{7}[A-Z](?![A-Z0-9])", text) and _is_dni(str("XYZ".index(text[0])) + text[1:9]):
        found.add("es_dni")
    return found


def _is_iban(text: str) -> bool:
    if not text[2:4].isdigit():
        return False
    return int("".join(str(int(one, 36)) for one in text[4:] + text[:4])) % 97 == 1


_CODICE_ODD = dict(
    zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        strict=True)
)  # fmt: skip


def _is_codice_fiscale(text: str) -> bool:
    odd = sum(_CODICE_ODD[one] for one in text[0:15:2])
    even = sum(int(one, 36) - (0 if one.isdigit() else 10) for one in text[1:15:2])
    return chr(ord("A") + (odd + even) % 26) == text[15]


def _is_dni(text: str) -> bool:
    return (
        bool(re.fullmatch(r"\d{8}[A-Z]", text)) and "TRWAGMYFPDXBNJZSQVHLCKE"[int(text[:8]) % 23] == text[8]
    )


def _is_nir(text: str) -> bool:
    if not re.fullmatch(r"[12]\d\d(?:0[1-9]|1[0-2]|[2-9]\d)\d{10}", text):
        return False
    return 97 - int(text[:13]) % 97 == int(text[13:])


def _is_cpf(text: str) -> bool:
    if not re.fullmatch(r"\d{11}", text) or len(set(text)) == 1:
        return False
    for length in (9, 10):
        total = sum(int(one) * weight for one, weight in zip(text, range(length + 1, 1, -1), strict=False))
        if total * 10 % 11 % 10 != int(text[length]):
            return False
    return True


def _is_de_tax_id(text: str) -> bool:
    """Check the eleven digits of § 139b AO: one digit twice or thrice among ten, ISO 7064 MOD 11,10."""
    if not re.fullmatch(r"[1-9]\d{10}", text):
        return False
    counts = sorted((text[:10].count(one) for one in set(text[:10])), reverse=True)
    if counts[0] not in (2, 3) or counts[1] != 1:
        return False
    product = 10
    for one in text[:10]:
        total = (int(one) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(text[10])


def _is_bsn(text: str) -> bool:
    if not re.fullmatch(r"\d{8,9}", text):
        return False
    digits = [int(one) for one in text.zfill(9)]
    total = sum(digit * weight for digit, weight in zip(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1), strict=True))
    return total % 11 == 0 and total != 0


def _is_pesel(text: str) -> bool:
    if (
        not re.fullmatch(r"\d{11}", text)
        or not 1 <= int(text[2:4]) % 20 <= 12
        or not 1 <= int(text[4:6]) <= 31
    ):
        return False
    total = sum(int(one) * weight for one, weight in zip(text, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3), strict=False))
    return (10 - total % 10) % 10 == int(text[10])


STRONG: dict[str, Callable[[str, str], bool]] = {
    "fr_nir": lambda digits, _: _is_nir(digits),
    "es_dni": lambda digits, _: _is_dni(digits),
    "br_cpf": lambda digits, written: (
        bool(re.match(r"\d{3}\.\d{3}\.\d{3}-\d\d", written)) and _is_cpf(digits)
    ),
    "de_tax_id": lambda digits, _: _is_de_tax_id(digits),
}
"""Numbers whose check digits or way of writing leave little to chance."""
WEAK: dict[str, Callable[[str], bool]] = {
    "de_tax_id": _is_de_tax_id,
    "nl_bsn": _is_bsn,
    "pl_pesel": _is_pesel,
    "br_cpf": _is_cpf,
}
"""Numbers that one in ten others passes for: only in a field named for one."""
