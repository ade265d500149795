"""Puts alerts into words, from templates that a home may replace file by file.

    templates/alerts/sms.txt            instead of the built-in words of every SMS
    templates/alerts/decided.mail.html  instead of those of mails that tell who decided

Templates are Jinja, sandboxed: they see the words of `facts.VARIABLES`, loop over nothing but a digest's cases, and reach
no other file. What one makes is checked as it leaves; where that, or the template itself, fails, the built-in words are
sent and the log says why. An alert never waits for a template to be mended.
"""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, StrictUndefined, Template, TemplateError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from signoff.alerts.facts import VARIABLES, Facts, sample
from signoff.alerts.sms import MAX_SHORT, fitted
from signoff.domain.alert import ALERT_KINDS

log = logging.getLogger("signoff.alerts")

FORMS: Mapping[str, str] = {
    "subject.txt": "one line: the subject of a mail, the title of a push",
    "text.txt": "plain text: the terminal, Discord, Matrix, WhatsApp, Signal and others",
    "mail.html": "the body of a mail; its plain text is made of it",
    "sms.txt": "the words of an SMS before its link, cut to fit",
    "push.txt": "what stands under the title of a push notification",
    "telegram.html": "Telegram's HTML",
    "slack.txt": "what stands under the title in Slack",
    "chat.txt": "Markdown: Google Chat, Rocket.Chat, Teams, Webex",
}
"""Every template, and what it is for."""

MAX_TEMPLATE_BYTES = 64 * 1024
MAX_SUBJECT_CHARS = 400
MAX_PUSH_CHARS = 800  # Pushover takes 1024 with the link and the id
MAX_CHAT_CHARS = 1900  # Discord takes 2000
MAX_MAIL_CHARS = 64 * 1024
_LONGEST = {
    "subject.txt": MAX_SUBJECT_CHARS, "push.txt": MAX_PUSH_CHARS, "sms.txt": 2000, "mail.html": MAX_MAIL_CHARS
}  # fmt: skip
_WITHOUT_LINK = frozenset({"subject.txt", "sms.txt", "push.txt"})
_FILTERS = frozenset(
    {"capitalize", "default", "d", "e", "escape", "first", "join", "last", "length", "count", "lower", "replace", "title", "trim", "truncate", "upper"}
)  # fmt: skip
_TELEGRAM_TAGS = frozenset({"b", "strong", "i", "em", "u", "s", "a", "code", "pre", "blockquote"})
_REFUSED_TAGS = frozenset(
    {"script", "img", "iframe", "object", "embed", "form", "link", "base", "video", "audio", "svg", "input", "button"}
)  # fmt: skip
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+~|!-])")


class TemplateWrong(Exception):
    """A template that is not used, and why."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a file among the templates."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Words:
    """One alert in all forms; `link` stands in those that show one."""

    subject: str
    text: str
    html: str
    sms: str
    push: str
    telegram: str
    slack: str
    chat: str


class _Ready(str):
    """Text that is Markdown already."""

    __slots__ = ()


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja without a way to other files, to Python, or to work without end."""

    # `"x" * 10**9` and `"%9999999999d" % 1` would fill the memory.
    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self, **options: Any) -> None:
        super().__init__(
            loader=BaseLoader(),  # which finds nothing: no include, no import, no extends
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            **options,
        )
        self.globals.clear()  # `range` and `lipsum` are loops without end
        self.filters = {name: made for name, made in self.filters.items() if name in _FILTERS}

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Refuse what multiplies text."""
        raise SecurityError(f"'{operator}' is not available in templates")

    def wrap_str_format(self, value: Any) -> None:
        """Wrap nothing, so that `format` is looked at like any other attribute."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Refuse methods of text that multiply it, too."""
        return attr not in ("format", "format_map", "ljust", "rjust", "center", "zfill", "expandtabs") and (
            super().is_safe_attribute(obj, attr, value)
        )


def _code(value: object) -> _Ready:
    """Return a value as a code span of Markdown, where nothing in it means anything."""
    return _Ready("`" + str(value).replace("`", "\u00b4") + "`")


def _finalized(value: Any) -> Any:
    return value if isinstance(value, _Ready) else _Ready(_MARKDOWN.sub(r"\\\1", str(value)))


_TEXT = _Sandbox()
_HTML = _Sandbox(autoescape=True)
_CHAT = _Sandbox(finalize=_finalized)
_CHAT.filters["code"] = _code


def _environment(form: str) -> _Sandbox:
    return _HTML if form.endswith(".html") else _CHAT if form == "chat.txt" else _TEXT


def _compiled(form: str, text: str) -> Template:
    try:
        return _environment(form).from_string(text)
    except (TemplateError, RecursionError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise TemplateWrong(f"line {line}: {error}" if line else str(error)) from None


_BUILT_IN = {
    form: _compiled(
        form, (resources.files("signoff.alerts") / "templates" / form).read_text(encoding="utf-8")
    )
    for form in FORMS
}


class Wording:
    """The words of alerts: the built-in ones, and what a home puts in their place.

    Args:
        folder: Where a home's own templates lie; it need not exist. None: the built-in ones only.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._read: dict[str, tuple[tuple[int, int], Template | TemplateWrong]] = {}
        self._told: set[tuple[str, str]] = set()

    def words(self, facts: Facts) -> Words:
        """Return an alert in words."""
        subject = self._one("subject.txt", facts)
        return Words(
            subject=subject,
            text=self._one("text.txt", facts),
            html=self._one("mail.html", facts),
            sms=fitted(self._one("sms.txt", facts), facts.link),
            push=self._one("push.txt", facts),
            telegram=self._one("telegram.html", facts),
            slack=self._one("slack.txt", facts),
            chat=self._one("chat.txt", facts),
        )

    def problems(self) -> list[Problem]:
        """Return what is wrong with a home's templates: each is tried with made-up alerts of every kind it is for."""
        made = []
        for name in self.files():
            found = _KIND_AND_FORM.fullmatch(name)
            if found is None:
                near = difflib.get_close_matches(name, [*FORMS], 1)
                meant = f"; did you mean {near[0]}?" if near else f". Known: {', '.join(FORMS)}"
                made.append(Problem(name, f"is not the name of a template{meant}"))
                continue
            for kind in ALERT_KINDS:
                if found[1] not in (None, kind):
                    continue
                try:
                    self._own(name, found[2], sample(kind))
                except TemplateWrong as error:
                    made.append(Problem(name, f"{error} (tried with kind '{kind}')"))
                    break
        return made

    def files(self) -> list[str]:
        """Return the names of what lies in a home's folder of templates."""
        try:
            return sorted(one.name for one in (self._folder.iterdir() if self._folder else ()))
        except FileNotFoundError:
            return []
        except OSError as error:
            log.warning("The templates of alerts cannot be read: %s", error.strerror)
            return []

    def _one(self, form: str, facts: Facts) -> str:
        for name in (f"{facts.kind}.{form}", form):
            try:
                own = self._own(name, form, facts)
            except TemplateWrong as error:
                self._say(name, str(error))
                continue
            if own is not None:
                return own
        return _made(_BUILT_IN[form], form, facts)

    def _own(self, name: str, form: str, facts: Facts) -> str | None:
        template = self._template(name, form)
        if template is None:
            return None
        made = _made(template, form, facts)
        _check(form, made, facts)
        return made

    def _template(self, name: str, form: str) -> Template | None:
        if self._folder is None:
            return None
        path = self._folder / name
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if name in self._read and self._read[name][0] == stamp:
                held = self._read[name][1]
            else:
                held = self._compiled(path, form, status.st_size)
                self._read[name] = (stamp, held)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise TemplateWrong(f"cannot be read: {error.strerror}") from None
        if isinstance(held, TemplateWrong):
            raise held
        return held

    @staticmethod
    def _compiled(path: Path, form: str, size: int) -> Template | TemplateWrong:
        if size > MAX_TEMPLATE_BYTES:
            return TemplateWrong(f"has {size} bytes, at most {MAX_TEMPLATE_BYTES}")
        try:
            return _compiled(form, path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            return TemplateWrong("is not UTF-8")
        except TemplateWrong as error:
            return error

    def _say(self, name: str, why: str) -> None:
        """Say once what is wrong with a template."""
        if (name, why) not in self._told:
            self._told.add((name, why))
            log.warning(
                "The template %s is not used, the built-in words are: %s. See `signoff alerts check`.",
                name,
                why.rstrip("."),
            )


_KIND_AND_FORM = re.compile(
    rf"(?:({'|'.join(ALERT_KINDS)})\.)?({'|'.join(re.escape(form) for form in FORMS)})"
)


def _made(template: Template, form: str, facts: Facts) -> str:
    values = {name: facts.values[name] for name in VARIABLES if name != "link"}
    if form not in _WITHOUT_LINK:
        values["link"] = _Ready(facts.link)
    try:
        made = template.render(values)
    except Exception as error:  # noqa: BLE001 - a template is somebody's program: whatever it raises is its own fault
        raise TemplateWrong(str(error) or type(error).__name__) from None
    if form in _WITHOUT_LINK:
        return " ".join(made.split())
    return re.sub(r"\n{3,}", "\n\n", made).strip()


def _check(form: str, made: str, facts: Facts) -> None:
    """Refuse what a home's template made if a channel would not take it, or if it tells too little or too much."""
    most = _LONGEST.get(form, MAX_CHAT_CHARS)
    if not made:
        raise TemplateWrong("makes an empty text")
    if len(made) > most:
        raise TemplateWrong(f"makes {len(made)} characters, at most {most}")
    if form in _WITHOUT_LINK:
        return
    shown = made.replace("&#39;", "'").replace("&amp;", "&")
    if form == "chat.txt":
        shown = shown.replace("\\", "")
    if facts.link and facts.link not in shown:
        raise TemplateWrong("does not show {{ link }}")
    if facts.values["id"] not in shown or facts.values["footer"] not in shown:
        raise TemplateWrong("does not show {{ id }} and {{ footer }}")
    if form.endswith(".html"):
        _Reader(form).read(made)


class _Reader(HTMLParser):
    """Refuses HTML that fetches anything when it is read, runs anything, or that Telegram would turn down."""

    def __init__(self, form: str) -> None:
        super().__init__(convert_charrefs=True)
        self._telegram = form == "telegram.html"
        self._open: list[str] = []

    def read(self, text: str) -> None:
        self.feed(text)
        self.close()
        if self._telegram and self._open:
            raise TemplateWrong(f"leaves <{self._open[-1]}> open, which Telegram turns down")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _REFUSED_TAGS:
            raise TemplateWrong(f"<{tag}> is not used in alerts: they fetch and run nothing")
        if self._telegram:
            if tag not in _TELEGRAM_TAGS:
                raise TemplateWrong(f"Telegram knows no <{tag}>")
            self._open.append(tag)
        for name, value in attrs:
            text = "".join((value or "").split()).lower()
            fetches = name in ("src", "srcset", "background", "poster", "data", "action") or "url(" in text
            if fetches or name.startswith("on") or "javascript:" in text:
                raise TemplateWrong(f"{name}=… is not used in alerts: they fetch and run nothing")

    def handle_endtag(self, tag: str) -> None:
        if self._telegram and (not self._open or self._open.pop() != tag):
            raise TemplateWrong(f"closes <{tag}> where it is not open, which Telegram turns down")

    def handle_data(self, data: str) -> None:
        lowered = data.lower()
        if "@import" in lowered or "url(" in "".join(lowered.split()):
            raise TemplateWrong("styles load nothing: no @import and no url(…)")


Preview = Callable[[Words, Facts], str]
PREVIEWS: Mapping[str, Preview] = {
    "mail": lambda words, facts: f"Subject: {words.subject}\n\n{words.html}",
    "sms": lambda words, facts: words.sms,
    "push": lambda words, facts: f"{words.subject}\n\n{words.push}\n{facts.link}\n{facts.trace}",
    "telegram": lambda words, facts: words.telegram,
    "slack": lambda words, facts: f"{words.subject}\n\n{words.slack}",
    "chat": lambda words, facts: f"{words.subject}\n\n{words.chat}",
    "text": lambda words, facts: f"{words.subject}\n\n{words.text}",
}
"""What `signoff alerts preview` shows of each channel."""

__all__ = ["FORMS", "MAX_SHORT", "PREVIEWS", "VARIABLES", "Problem", "Wording", "Words"]
