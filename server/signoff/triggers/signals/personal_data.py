"""Personal data, told by its form, its check digits, the name of the field it stands in, and words for what is sensitive."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any, ClassVar, Literal

from signoff.domain.secrets import secret_kinds
from signoff.triggers.facts import Facts
from signoff.triggers.fields import Kind
from signoff.triggers.signals.signal import Signal
from signoff.triggers.signals.texts import TooMuch, named_texts

MAX_CHARS = 64 * 1024
"""Characters that are read: 14 ms."""

_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2,24}")
_INTERNATIONAL = re.compile(r"(?<![\w+])(?:\+|00)[1-9](?:[ ()./-]{0,2}\d){6,14}(?!\d)")
_AMERICAN = re.compile(r"(?<![\w.-])(?:\([2-9]\d\d\) ?|[2-9]\d\d[-. ])[2-9]\d\d[-. ]\d{4}(?![\w-])")
_SSN = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-])")
_LETTERS_AND_DIGITS = re.compile(
    r"\b[A-Za-z]{1,6}[0-9][A-Za-z0-9]*+(?:[ -][A-Za-z0-9]{1,4}(?![A-Za-z0-9])){0,8}"
)
_DIGIT_GROUPS = re.compile(r"(?<![\w.-])\d(?:[ ./-]?\d){7,17}(?:[ -]?[A-Za-z])?(?![\w-])")
_IP = re.compile(
    r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\d)|(?<![\w:])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])"
)
_DATE = re.compile(
    r"\b(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/. ]{1,2}(?:\d{1,2}|[A-Za-z]{3,9})[-/. ]{1,2}(?:19|20)\d\d)\b"
)
_BORN = re.compile(
    r"\b(?:born|birth|birthday|birthdate|d\.?o\.?b|geboren|geburtsdatum|geburtstag|naissance|née?|nacimiento|nacid[oa]|nascita)\b",
    re.IGNORECASE,
)
_BIRTH_FIELD = re.compile(r"birth|\bdob\b|geburt|naissance|nacimiento|nascita|nascimento", re.IGNORECASE)
_PHONE_FIELD = re.compile(
    r"phone|mobile|\btel\b|telefon|handy|cellular|\bcell\b|\bfax\b|móvil|telephone|whatsapp|msisdn",
    re.IGNORECASE,
)
_ADDRESS_FIELD = re.compile(r"(?:street|postal|home|shipping|billing|mailing)[_ -]?address|street|strasse|straße|\bzip\b|zip_?code|post_?code|\bplz\b", re.IGNORECASE)  # fmt: skip
_NAME_FIELD = re.compile(r"(?:first|last|full|sur|given|family|maiden|middle|customer|patient|passenger|holder)[_ -]?names?\b|vorname|nachname|nom_de_famille|apellido", re.IGNORECASE)  # fmt: skip
_ID_FIELD = re.compile(
    r"passport|national_?id|identity_?(?:card|number)|driver'?s?_?licen[cs]e|licen[cs]e_number|social_?security|\bssn\b|\bnino\b|"
    r"tax_?(?:id|number)|\btin\b|steuer|personalausweis|reisepass|\bbsn\b|\bdni\b|\bnie\b|pesel|\bcpf\b|insee|aadhaar|"
    r"codice_?fiscale",
    re.IGNORECASE,
)

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
_SPECIAL_PATTERN = re.compile(r"[^\W\d_]+")
_UNION = re.compile(
    r"\b(?:trade|labou?r|workers'?) union|\bunion (?:member|rep|due|organi[sz])|\bunioni[sz]", re.IGNORECASE
)
_AMBIGUOUS = frozenset(
    {"union", "race", "iris", "conservative", "republican", "democrat", "patient", "church", "medical"}
)
"""Words that mean other things as well (credit union, race condition): they count as the name of a field only."""


class PersonalData(Signal):
    """`{personal_data: arguments}`: the kinds of personal data in the arguments, or in the whole `bundle` with them.

    By form and check digits: `email`, `phone`, `iban`, `card`, `ip`, `date_of_birth`, and national numbers such as
    `us_ssn`, `uk_nino`, `de_tax_id`, `fr_nir`, `es_dni`, `it_codice_fiscale`, `nl_bsn`, `pl_pesel`, `br_cpf`. By the
    name of the field: `name`, `address`, `phone`, `national_id`. By words, for what the GDPR calls special (Art. 9 and
    10): `special:health`, `special:religion` and so on, mostly in English. Images are not looked into, and a name or an
    address in prose has no form and is not found.
    """

    personal_data: Literal["arguments", "bundle"]

    gives: ClassVar[Kind] = "list"

    def value(self, facts: Facts, name: str) -> list[str]:
        """Return the kinds, each once, in alphabetical order.

        Raises:
            ValueError: More text than is read.
        """
        given: Any = facts.action.get("arguments")
        if self.personal_data == "bundle":
            given = [given, facts.action.get("summary"), _without_images(facts.bundle)]
        return sorted(personal_data(given))


def _without_images(bundle: Any) -> list[Any]:
    made: list[Any] = []
    for key, member in bundle.items():
        if key == "attachments" and isinstance(member, (list, tuple)):
            made += [
                one.get("name") if str(one.get("media_type", "")).startswith("image/") else one
                for one in member
            ]
        else:
            made.append({key: member})
    return made


def personal_data(value: Any) -> set[str]:
    """Return the kinds of personal data in a JSON value.

    Raises:
        TooMuch: More text than is read.
    """
    found: set[str] = set()
    texts: list[str] = []
    chars = 0
    for field, text in named_texts(value):
        chars += len(text) + len(field)
        if chars > MAX_CHARS:
            raise TooMuch(f"more than {MAX_CHARS} characters")
        if not field:
            words = text.casefold().replace("_", " ").split()
            found.update(f"special:{_SPECIAL[word]}" for word in words if word in _SPECIAL)
        else:
            found |= _by_field(field, text)
        texts.append(text)
    # In one piece: a pattern costs the same per character, and far less per text. No form reaches over the boundary.
    return found | _by_form("\n\x00\n".join(texts))


def _by_field(field: str, text: str) -> set[str]:
    """Return what the name of a field says of the text in it."""
    found = set()
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", field[:200]).replace("-", "_")
    spaced = name.replace("_", " ")
    digits = sum(map(str.isdigit, text[:100]))
    if _PHONE_FIELD.search(spaced) and digits >= 6:
        found.add("phone")
    if _BIRTH_FIELD.search(spaced) and digits:
        found.add("date_of_birth")
    if text.strip():
        if _NAME_FIELD.search(name) or _NAME_FIELD.search(spaced):
            found.add("name")
        if _ADDRESS_FIELD.search(name) or _ADDRESS_FIELD.search(spaced):
            found.add("address")
        if digits >= 4 and (_ID_FIELD.search(name) or _ID_FIELD.search(spaced)):
            found.add("national_id")
            found |= {kind for kind, holds in WEAK.items() if holds(re.sub(r"[ ./-]", "", text[:40]).upper())}
    return found


def _by_form(text: str) -> set[str]:
    found: set[str] = set()
    for kind, holds in FORMS.items():
        if holds(text):
            found.add(kind)
    for run in _LETTERS_AND_DIGITS.finditer(text):
        if len(found & {"iban", "uk_nino", "it_codice_fiscale"}) == 3:
            break
        found |= _lettered(run[0])
    for run in _DIGIT_GROUPS.finditer(text):
        digits = re.sub(r"[ ./-]", "", run[0]).upper()
        found |= {kind for kind, holds in STRONG.items() if kind not in found and holds(digits, run[0])}
    if "card_number" in secret_kinds(text):
        found.add("card")
    if _BORN.search(text) and any(
        _DATE.search(text, one.start(), one.end() + 60) for one in _few(_BORN, text)
    ):
        found.add("date_of_birth")
    special = {_SPECIAL[word] for word in set(_SPECIAL_PATTERN.findall(text.casefold())) & _PLAIN_SPECIAL}
    if _UNION.search(text):
        special.add("union")
    return found | {f"special:{kind}" for kind in special}


_PLAIN_SPECIAL = frozenset(_SPECIAL) - _AMBIGUOUS


def _few(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
    made = []
    for found in pattern.finditer(text):
        made.append(found)
        if len(made) > 500:
            raise TooMuch("more than 500 mentions of a birth")
    return made


def _email(text: str) -> bool:
    at = text.find("@")
    while at >= 0:
        if _EMAIL.search(text, max(0, at - 64), at + 400):
            return True
        at = text.find("@", at + 1)
    return False


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
    "email": _email,
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
    "us_ssn": lambda text: bool(re.fullmatch(r"(?!000|666|9)\d{3}(?!00)\d\d(?!0000)\d{4}", text)),
    "de_tax_id": _is_de_tax_id,
    "nl_bsn": _is_bsn,
    "pl_pesel": _is_pesel,
    "br_cpf": _is_cpf,
}
"""Numbers that one in ten others passes for: only in a field named for one."""
