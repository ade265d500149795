"""Secrets and personal data: the kinds are named, look-alikes are not, and too much to read is an error."""

from collections.abc import Callable
from typing import Any

import pytest

from signoff.domain.verdict import Verdict

Signal = Callable[..., Any]
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq\nAAAA\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("arguments", "kinds"),
    [
        ({"a": "AKIAABCDEFGHIJKLMNOP"}, ["aws_access_key"]),
        ({"a": {"b": ["x", PEM]}}, ["private_key"]),
        ({"h": "Authorization: Bearer abcdefghijklmnopqrstuvwxyz0123"}, ["bearer_token"]),
        ({"a": "pay 4111 1111 1111 1111 and glpat-abcdefghijklmnopqrst"}, ["card_number", "gitlab_token"]),
        ({"a": 4111111111111111}, ["card_number"]),
        ({"ghp_" + "a" * 36: 1}, ["github_token"]),
        ({"a": "sk-ant-" + "a" * 30}, ["anthropic_key"]),
        ({"a": "my password is hunter2", "n": 12, "b": None}, []),
        ({}, []),
    ],
)
def test_secrets_in_the_arguments_are_named_by_kind(
    signal: Signal, arguments: dict[str, Any], kinds: list[str]
) -> None:
    assert signal("{secrets: arguments}", arguments) == kinds


@pytest.mark.parametrize(
    ("arguments", "kinds"),
    [
        ({"to": "dana@example.com"}, ["email"]),
        ({"text": "write to (dana.o'neil+x@mail.example.co.uk), ok?"}, ["email"]),
        ({"text": "dana@müller.de"}, ["email"]),
        ({"text": "@dana said hi @ noon, a@b"}, []),
        ({"text": "call +49 30 1234567"}, ["phone"]),
        ({"text": "call 0049 (30) 123-4567"}, ["phone"]),
        ({"text": "call (212) 555-0123 today"}, ["phone"]),
        ({"text": "call 212-555-0123"}, ["phone"]),
        ({"phone": "030 1234567"}, ["phone"]),
        ({"mobileNumber": 1711234567}, ["phone"]),
        ({"order": "212555012345"}, []),
        ({"amount": 1234567, "date": "2026-11-24", "time": "09:30:00"}, []),
        ({"version": "1.2.3", "price": "1,234.56", "id": "a1b2c3"}, []),
        ({"iban": "DE89370400440532013000"}, ["iban"]),
        ({"text": "to DE89 3704 0044 0532 0130 00 please"}, ["iban"]),
        ({"text": "gb82 west 1234 5698 7654 32"}, ["iban"]),
        ({"text": "to DE89370400440532013001"}, []),
        ({"text": "NO9386011117947"}, ["iban"]),
        ({"text": "4111-1111-1111-1111"}, ["card"]),
        ({"text": "4111-1111-1111-1112"}, []),
        ({"text": "ssn 078-05-1120"}, ["us_ssn"]),
        ({"ssn": "078051120"}, ["national_id"]),
        ({"text": "part 000-12-3456, 666-12-3456, 923-12-3456"}, []),
        ({"text": "AB 12 34 56 C"}, ["uk_nino"]),
        ({"text": "QQ123456C"}, []),
        ({"text": "86 095 742 719"}, ["de_tax_id"]),
        ({"text": "86095742718"}, []),
        ({"text": "2 69 05 49 588 157 80"}, ["fr_nir"]),
        ({"text": "DNI 12345678Z"}, ["es_dni"]),
        ({"text": "12345678A"}, []),
        ({"text": "NIE X1234567L"}, ["es_dni"]),
        ({"text": "RSSMRA85T10A562S"}, ["it_codice_fiscale"]),
        ({"text": "RSSMRA85T10A562T"}, []),
        ({"bsn": "111222333"}, ["national_id", "nl_bsn"]),
        ({"order": "111222333"}, []),
        ({"pesel": "44051401359"}, ["national_id", "pl_pesel"]),
        ({"text": "529.982.247-25"}, ["br_cpf"]),
        ({"text": "529.982.247-26"}, []),
        ({"passport_number": "C01X00T47"}, ["national_id"]),
        ({"text": "from 192.168.7.12"}, ["ip"]),
        ({"text": "at 2001:db8:85a3::8a2e:370:7334"}, ["ip"]),
        ({"text": "127.0.0.1 and ::1 and 999.1.1.1 and 1.2.3"}, []),
        ({"dateOfBirth": "1980-02-01"}, ["date_of_birth"]),
        ({"text": "born on 1 Feb 1980"}, ["date_of_birth"]),
        ({"text": "DOB: 02/01/1980"}, ["date_of_birth"]),
        ({"text": "Geburtsdatum 1.2.1980"}, ["date_of_birth"]),
        ({"text": "departure 2026-12-01"}, []),
        ({"first_name": "Dana"}, ["name"]),
        ({"fileName": "a.txt", "username": "x", "name": "report"}, []),
        ({"shippingAddress": "Main St 1"}, ["address"]),
        ({"ip_address": "x"}, []),
        ({"text": "The patient was diagnosed with cancer"}, ["special:health"]),
        ({"diagnosis": "x"}, ["special:health"]),
        ({"text": "She is Jewish and a trade union member"}, ["special:religion", "special:union"]),
        ({"text": "credit union, race condition"}, []),
        ({"race": "x"}, ["special:ethnicity"]),
        ({"text": "he is gay"}, ["special:sexuality"]),
        ({"text": "Er ist schwerbehindert"}, ["special:health"]),
        ({"text": "previous convictions"}, ["special:crime"]),
        ({"a": [{"b": {"c": ["dana@example.com"]}}]}, ["email"]),
        ({"dana@example.com": 1}, ["email"]),
        ({}, []),
    ],
)  # fmt: skip
def test_personal_data_in_the_arguments_is_named_by_kind(
    signal: Signal, arguments: dict[str, Any], kinds: list[str]
) -> None:
    assert signal("{personal_data: arguments}", arguments) == kinds


def test_the_whole_bundle_is_read_where_the_policy_says_so(signal: Signal) -> None:
    bundle = {
        "messages": [{"role": "user", "content": "my mail is dana@example.com"}],
        "state": {"note": "pregnant"},
        "attachments": [
            {"name": "a.txt", "media_type": "text/plain", "data": "078-05-1120"},
            {"name": "a.png", "media_type": "image/png", "data": "QQ" * 200_000},
        ],
    }

    assert signal("{personal_data: arguments}", {"id": 1}, bundle=bundle) == []
    found = signal("{personal_data: bundle}", {"to": "+49 30 1234567"}, bundle=bundle)
    assert found == ["email", "phone", "special:health", "us_ssn"]


@pytest.mark.parametrize(
    ("declared", "arguments"),
    [
        ("secrets: arguments", {"a": "x" * 40_000 + " AKIAABCDEFGHIJKLMNOP"}),
        ("secrets: arguments", {"a": ["x"] * 20_000}),
        ("personal_data: arguments", {"a": "word " * 14_000 + "dana@example.com"}),
        ("personal_data: arguments", {"a": "12345678 " * 5_000 + "dana@example.com"}),
        ("personal_data: arguments", {"a": ["1"] * 20_000}),
        ("personal_data: arguments", {f"k{number}": "x" for number in range(400)}),
    ],
)
def test_more_than_is_read_makes_the_rule_fire(
    ask: Callable[..., Verdict], declared: str, arguments: dict[str, Any]
) -> None:
    rule = '  - {id: x, when: "size(signals.found) > 0", then: escalate}'

    verdict = ask(rule, arguments, head=f"signals:\n  found: {{{declared}}}")

    assert [one.reason for one in verdict.fired] == ["error: the signal found cannot be computed"]
