"""Personal data in the arguments or in the whole bundle."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from signoff.triggers.facts import Facts
from signoff.triggers.fields import Kind
from signoff.triggers.signals.signal import Signal


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
        # Loaded where a rule first reads it: dozens of patterns that a start of the server should not pay for.
        from signoff.triggers.signals.personal_findings import personal_data

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
