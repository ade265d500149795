"""A home's own words of alerts: used where they are right, never at the price of an alert."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from signoff.alerts.facts import VARIABLES, sample
from signoff.alerts.wording import FORMS, Wording
from signoff.domain.alert import ALERT_KINDS

GOOD_TEXT = "{{ kind }}: {{ headline }}\n{{ link }}\n{{ id }} {{ footer }}"


def written(folder: Path, name: str, text: str) -> Wording:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return Wording(folder)


def test_a_template_of_the_home_replaces_the_built_in_words_of_its_form_only(tmp_path: Path) -> None:
    wording = written(tmp_path / "alerts", "sms.txt", "Bitte entscheiden: {{ tool }}")

    words = wording.words(sample("opened"))

    assert words.sms.startswith("Bitte entscheiden: wire_transfer https://")
    assert words.text == Wording().words(sample("opened")).text
    assert wording.problems() == []


def test_a_template_for_one_kind_is_used_for_that_kind_only(tmp_path: Path) -> None:
    wording = written(tmp_path / "alerts", "decided.subject.txt", "erledigt: {{ status }} von {{ by }}")

    assert wording.words(sample("decided")).subject == "erledigt: approved von Sofia"
    assert wording.words(sample("opened")).subject.startswith("signoff [high]")


def test_a_template_that_is_edited_is_used_from_the_next_alert_on(tmp_path: Path) -> None:
    wording = written(tmp_path / "alerts", "subject.txt", "first")
    assert wording.words(sample("opened")).subject == "first"

    written(tmp_path / "alerts", "subject.txt", "second one")

    assert wording.words(sample("opened")).subject == "second one"


WRONG = [
    ("subject.txt", "{{ nothing }}", "'nothing' is undefined"),
    ("subject.txt", "{{ link }}", "'link' is undefined"),
    ("subject.txt", "{% if %}", "line 1"),
    ("subject.txt", "  \n ", "empty text"),
    ("subject.txt", "x" * 500, "500 characters, at most 400"),
    ("subject.txt", "{{ ''.__class__.__mro__ }}", "unsafe"),
    ("subject.txt", "{{ headline.format(1) }}", "unsafe"),
    ("subject.txt", "{{ 'x' * 1000000000 }}", "'*' is not available"),
    ("subject.txt", "{{ '%999999999d' % 1 }}", "'%' is not available"),
    ("subject.txt", "{{ 9 ** 99999999 }}", "'**' is not available"),
    ("subject.txt", "{{ 'x'.ljust(999999999) }}", "unsafe"),
    ("subject.txt", "{% for i in range(9) %}x{% endfor %}", "'range' is undefined"),
    ("subject.txt", "{{ headline|center(999999999) }}", "No filter named 'center'"),
    ("subject.txt", "{{ lipsum() }}", "'lipsum' is undefined"),
    ("subject.txt", "{% include 'text.txt' %}", "text.txt"),
    ("subject.txt", "{% import '/etc/passwd' as x %}", "passwd"),
    ("text.txt", "{{ headline }} {{ id }} {{ footer }}", "does not show {{ link }}"),
    ("text.txt", "{{ link }}", "does not show {{ id }} and {{ footer }}"),
    ("text.txt", GOOD_TEXT + "x" * 2000, "at most 1900"),
    ("mail.html", f"<script>1</script>{GOOD_TEXT}", "<script>"),
    ("mail.html", f"<p><img src=https://evil.example/x.png>{GOOD_TEXT}</p>", "<img>"),
    ("mail.html", f"<p style='background: u\nrl(https://e.example)'>{GOOD_TEXT}</p>", "style=…"),
    ("mail.html", f"<p onclick='x()'>{GOOD_TEXT}</p>", "onclick=…"),
    ("mail.html", f"<style>@import 'https://evil.example';</style>{GOOD_TEXT}", "@import"),
    ("mail.html", f"<a href='javascript:x()'>{GOOD_TEXT}</a>", "href=…"),
    ("telegram.html", f"<h1>{GOOD_TEXT}</h1>", "Telegram knows no <h1>"),
    ("telegram.html", f"<b>{GOOD_TEXT}", "leaves <b> open"),
    ("telegram.html", f"{GOOD_TEXT}</i>", "closes <i>"),
    ("opened.sms.txt", "{{ nothing }}", "'nothing' is undefined"),
    ("sms.text", "x", "did you mean sms.txt"),
    ("approved.sms.txt", "x", "is not the name of a template"),
]


@pytest.mark.parametrize(("name", "text", "why"), WRONG)
def test_a_wrong_template_is_named_by_the_check_and_the_alert_goes_out_in_built_in_words(
    tmp_path: Path, name: str, text: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    wording = written(tmp_path / "alerts", name, text)

    (problem,) = wording.problems()
    assert problem.name == name
    assert why in problem.why
    with caplog.at_level(logging.WARNING):
        assert wording.words(sample("opened")) == Wording().words(sample("opened"))
        wording.words(sample("opened"))
    told = [one for one in caplog.messages if name in one]
    assert len(told) == (0 if "name of a template" in problem.why else 1)  # said, and said once


def test_a_template_that_is_no_text_or_far_too_long_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "alerts"
    wording = written(folder, "sms.txt", "x" * 70_000)
    (folder / "push.txt").write_bytes(b"\xff\xfe")
    (folder / "slack.txt").mkdir()

    found = {one.name: one.why for one in wording.problems()}

    assert "at most 65536" in found["sms.txt"]
    assert "is not UTF-8" in found["push.txt"]
    assert "cannot be read" in found["slack.txt"]
    assert wording.words(sample("opened")) == Wording().words(sample("opened"))


def test_every_variable_can_be_used_in_every_form(tmp_path: Path) -> None:
    without = " ".join(f"{{{{ {name} }}}}" for name in VARIABLES if name not in ("link", "cases", "failed"))
    for form in FORMS:
        shows_link = form not in ("subject.txt", "sms.txt", "push.txt")
        text = without + (" {{ link }}" if shows_link else "")
        text += " {% for one in cases %}{{ one.tool }}{{ one.link }}{% endfor %}{{ failed.why }}"
        if form == "subject.txt":
            text = "{{ kind }} {{ headline|truncate(200) }}"
        wording = written(tmp_path / form.replace(".", "-"), form, text)
        assert wording.problems() == [], form


@pytest.mark.parametrize("kind", ALERT_KINDS)
def test_words_put_into_html_are_escaped_and_never_taken_for_tags(tmp_path: Path, kind: str) -> None:
    words = Wording().words(sample("opened"))

    assert "Wire above 10,000 &lt;EUR&gt; &amp; more" in words.html
    assert "<EUR>" not in words.html + words.telegram
