"""The airline's policy, over the calls of recorded runs; the other policies have tables of their own."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from signoff.triggers.evaluate import evaluate
from signoff.triggers.facts import Facts
from signoff.triggers.load import LoadedPolicy, load_policy

EXAMPLES = Path(__file__).parents[2] / "examples"


def fired(
    policy: LoadedPolicy, tool: str, arguments: dict[str, Any], bundle: dict[str, Any]
) -> tuple[str, set[str]]:
    facts = Facts({"tool": tool, "arguments": arguments}, bundle, {}, {}, datetime(2026, 1, 1, tzinfo=UTC))
    verdict = evaluate(policy, facts)
    assert all(one.reason == "matched" for one in (*verdict.fired, *verdict.shadow))
    return verdict.outcome, {one.trigger for one in (*verdict.fired, *verdict.shadow)}


BOOKING = {
    "user_id": "mia_li_3668", "origin": "JFK", "destination": "SEA", "flight_type": "one_way", "cabin": "economy",
    "flights": [{"flight_number": "HAT136", "date": "2024-05-20"}], "passengers": [{"first_name": "Mia"}],
    "payment_methods": [{"payment_id": "credit_card_4421486", "amount": 155}],
    "total_baggages": 1, "nonfree_baggages": 0, "insurance": "no",
}  # fmt: skip
CHANGE = {"reservation_id": "JG7FMM", "cabin": "economy", "flights": [{}, {}], "payment_id": "gift_card_1"}


@pytest.mark.parametrize(
    ("tool", "arguments", "outcome", "triggers"),
    [
        ("get_user_details", {"user_id": "mia"}, "allow", {"lookups"}),
        ("book_reservation", BOOKING, "allow", {"routine"}),
        ("book_reservation", {**BOOKING, "cabin": "business"}, "escalate", {"routine", "business-cabin"}),
        ("book_reservation", {**BOOKING, "nonfree_baggages": 1}, "escalate", {"routine", "paid-bags"}),
        ("book_reservation", {**BOOKING, "payment_methods": [{"payment_id": "certificate_1", "amount": 305}]}, "escalate", {"routine", "large-payment"}),
        ("book_reservation", {**BOOKING, "payment_methods": [{"payment_id": f"certificate_{n}", "amount": 10} for n in (1, 2)]}, "deny", {"routine", "too-many-certificates"}),
        ("update_reservation_flights", CHANGE, "allow", {"routine"}),
        ("update_reservation_flights", {**CHANGE, "flights": [{}] * 4}, "escalate", {"routine", "long-trip"}),
        ("update_reservation_flights", {**CHANGE, "payment_id": "certificate_7"}, "escalate", {"routine", "certificate-for-a-change"}),
        ("update_reservation_passengers", {"reservation_id": "F", "passengers": [{}]}, "escalate", {"routine", "passenger-identity"}),
        ("cancel_reservation", {"reservation_id": "GV1N64"}, "escalate", {"cancellation"}),
        ("send_certificate", {"user_id": "e", "amount": 50}, "escalate", {"compensation"}),
        ("send_certificate", {"user_id": "e", "amount": 150}, "escalate", {"compensation", "large-compensation"}),
        ("open_the_vault", {}, "escalate", set()),
    ],
)  # fmt: skip
def test_the_airline_policy_stops_what_costs_money_and_lets_routine_pass(
    tool: str, arguments: dict[str, Any], outcome: str, triggers: set[str]
) -> None:
    policy = load_policy((EXAMPLES / "airline/policy.yaml").read_text(encoding="utf-8"), source="policy.yaml")

    assert fired(policy, tool, arguments, {}) == (outcome, triggers)
