"""Questions to the agent on the case page, without a browser."""

from __future__ import annotations

from tests.conftest import Cast
from tests.operators.conftest import SignedIn, ask, text_of

from signoff.desk.ask_agent import answer_question
from signoff.desk.desk import Desk
from signoff.desk.look import look
from signoff.domain.bundle import read_material

WHY = "Has FR been paid\nbefore?"
DRAWN = "</div><button>Approve</button> \u202eyes"


async def test_a_person_asks_and_reads_the_answer_in_the_agents_frame(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    case = await ask(desk, cast.ada)
    omar = await signed_in("Omar")

    asked = await omar.post(f"/cases/{case}/ask", data={"question": WHY.replace("\n", "\r\n")})

    assert (asked.status_code, asked.headers["location"]) == (303, f"/cases/{case}#questions")
    assert (await look(desk, cast.omar, case)).questions[0].text == WHY
    page = (await omar.get(f"/cases/{case}")).text
    assert "Waiting for the agent's answer" in text_of(page)
    assert f'action="/cases/{case}/ask"' not in page
    more = read_material({"state": {"paid": DRAWN}})
    await answer_question(desk, cast.ada, case, DRAWN, additions=more)
    page = (await omar.get(f"/cases/{case}")).text
    assert "<button>Approve</button> " not in page
    assert "⟦U+202E⟧" in page
    frame = page.partition('class="material said"><p class="label">The agent answers')[2].partition(
        "</section>"
    )[0]
    assert frame.count("&lt;button&gt;Approve&lt;/button&gt;") == 2


async def test_a_page_that_waits_is_told_how_the_question_stands(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    case = await ask(desk, cast.ada)
    omar = await signed_in("Omar")
    address = f"/cases/{case}/questions"
    assert (await omar.get(address)).json() == {"version": 1, "is_open": True, "number": 0, "answer": None}
    await omar.post(f"/cases/{case}/ask", data={"question": WHY})
    assert (await omar.get(address)).json() == {"version": 1, "is_open": True, "number": 1, "answer": None}
    await answer_question(desk, cast.ada, case, "no\u200b")
    found = (await omar.get(address)).json()
    assert (found["version"], found["answer"]) == (2, [["no", ""], ["⟦U+200B⟧", "hidden"]])


async def test_a_question_that_cannot_be_put_is_shown_again(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    case = await ask(desk, cast.ada)
    omar, sofia = await signed_in("Omar"), await signed_in("Sofia")
    refused = await omar.post(f"/cases/{case}/ask", data={"question": "x" * 2001})
    assert refused.status_code == 422
    assert "x" * 2001 in refused.text
    assert "The agent was not asked" in text_of(refused.text)
    await omar.post(f"/cases/{case}/ask", data={"question": WHY})
    late = await sofia.post(f"/cases/{case}/ask", data={"question": "And when?"})
    assert late.status_code == 409
    assert "One is open at a time" in text_of(late.text)
    assert len((await look(desk, cast.omar, case)).questions) == 1


async def test_a_decision_from_before_the_answer_is_refused_as_stale(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    case = await ask(desk, cast.ada)
    omar, sofia = await signed_in("Omar"), await signed_in("Sofia")
    await omar.post(f"/cases/{case}/ask", data={"question": WHY})
    before = await sofia.form(case)
    await answer_question(desk, cast.ada, case, "No, never.")

    stale = await sofia.post(f"/cases/{case}/decide", data={**before, "choice": "approve"})

    assert stale.status_code == 409
    assert "No, never." in stale.text
    assert (await look(desk, cast.omar, case)).case.is_open
