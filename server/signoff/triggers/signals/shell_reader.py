r"""Read a shell command line into the simple commands that it would run, as POSIX shells and bash read it.

    FOO=1 sudo r'm' -rf "$DIR" && curl x | sh
    → [FOO=1 sudo rm -rf $DIR]   [curl x | sh]

Quotes, backslashes, `$'\x72m'`, here-documents, comments, groups, `case`, `[[ … ]]`, command and process
substitution are read; whatever a substitution would run stands among the commands. Nothing is expanded: a word that
holds `$x`, `$(…)` or a pattern says so. Not a grammar: keywords are dropped, and what does not fit is read as more
commands rather than as fewer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAX_TOKENS = 2500
"""Words, operators and expansions in one command line, with everything inside it, so that reading and judging them
takes 15 ms at the most. What a quoted here-document holds is data and does not count."""
MAX_DEPTH = 12
"""Commands inside commands: substitutions, and texts given to further shells."""

KEYWORDS = frozenset(
    {"if", "then", "else", "elif", "fi", "do", "done", "while", "until", "{", "}", "!", "coproc"}
)

_PLAIN = re.compile(r"[^\s;&|()<>'\"\\$`*?\[{#]+|[^\S \t\r\n\f\v]+|#")
_QUOTED = re.compile(r'[^"\\$`]+')
_DATA = re.compile(r"[^\\$`]+")
_ARITHMETIC = re.compile(r"\$\(\([^()`]*\)\)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]")
_REDIRECT = re.compile(r"<<<|<<-?|<>|>>|>\||>&|<&|<|>|&>>?")
_ANSI_C = re.compile(
    r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})|c(.)|(.))", re.DOTALL
)
_ANSI_C_LETTERS = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "a": "\a",
    "b": "\b",
    "e": "\x1b",
    "E": "\x1b",
    "f": "\f",
    "v": "\v",
}
_BLANKS = " \t\r\f\v"


class NotUnderstood(Exception):
    """A text that cannot be read as shell commands; the message says what is wrong with it."""


class TooLong(ValueError):
    """More words than are read."""


@dataclass(slots=True)
class Word:
    """One word of a command after quote removal."""

    text: str = ""
    computed: bool = False
    """Holds a variable, a substitution or anything else that is only known when it runs."""
    pattern: bool = False
    """Holds an unquoted `*`, `?`, `[` or `{`, which may become other words."""
    quoted: bool = False
    feeds: list[Pipeline] = field(default_factory=list)
    """What runs in a process substitution, `<(…)`."""


@dataclass(slots=True)
class Command:
    """One simple command; without words where a group, a loop or only redirections stand in its place."""

    words: list[Word] = field(default_factory=list)
    redirects: list[tuple[str, Word]] = field(default_factory=list)
    given: Word | None = None
    """The here-document or here-string on its standard input."""
    in_test: bool = False
    """Stands in `[[ … ]]`, where `&&` and `||` part conditions."""


Pipeline = list[Command]


@dataclass(slots=True)
class Budget:
    """What may still be read; shared by all that one text holds."""

    tokens: int = MAX_TOKENS
    most: int = MAX_TOKENS

    def spend(self) -> None:
        """Count one token.

        Raises:
            TooLong: None is left.
        """
        self.tokens -= 1
        if self.tokens < 0:
            raise TooLong(f"more than {self.most} words and operators")


@dataclass(slots=True)
class _Heredoc:
    command: Command
    end: str
    strip_tabs: bool
    expands: bool


@dataclass(slots=True)
class _State:
    """The commands being read at one level of nesting."""

    pipeline: Pipeline = field(default_factory=list)
    command: Command = field(default_factory=Command)
    parens: int = 0
    cases: int = 0
    in_test: bool = False


@dataclass(slots=True)
class Reader:
    """One reading of a text. After an exception `pipelines` holds what was read before it."""

    text: str
    budget: Budget
    pipelines: list[Pipeline] = field(default_factory=list)
    depth: int = 0
    at: int = 0
    waiting: list[_Heredoc] = field(default_factory=list)

    def read(self) -> None:
        """Read the whole text.

        Raises:
            NotUnderstood: A quote, substitution or group without an end, or nesting beyond any use.
            TooLong: Over the budget.
        """
        self._commands(None)

    def read_data(self) -> bool:
        """Read a here-document's body, where only expansions count; return whether there are any."""
        word = Word()
        while self.at < len(self.text):
            self.budget.spend()
            run = _DATA.match(self.text, self.at)
            if run:
                self.at = run.end()
            elif self.text[self.at] == "\\":
                self.at += 2
            else:
                self._expansion(word, quoted=True)
        return word.computed

    def _commands(self, closer: str | None) -> None:
        if self.depth > MAX_DEPTH:
            raise NotUnderstood("commands nested too deep")
        state = _State()
        try:
            self._until(closer, state)
        finally:
            self._end_pipeline(state)

    def _until(self, closer: str | None, state: _State) -> None:
        text = self.text
        while True:
            while text.startswith("\\\n", self.at) or text[self.at : self.at + 1] in tuple(_BLANKS):
                self.at += 2 if text[self.at] == "\\" else 1
            if self.at >= len(text):
                if closer is not None:
                    raise NotUnderstood("a substitution or group without an end")
                return
            self.budget.spend()
            character = text[self.at]
            if character == "#":
                end = text.find("\n", self.at)
                self.at = len(text) if end < 0 else end
            elif character == "\n":
                self.at += 1
                self._end_pipeline(state)
                self._heredocs()
            elif character in "<>" and text[self.at + 1 : self.at + 2] == "(":
                self._word(state)
            elif character in "<>" or text.startswith("&>", self.at):
                self._redirect(state)
            elif character in ";&|":
                self._operator(state)
            elif character == "(":
                self.at += 1
                state.parens += 1
                if state.command.words:
                    self._end_pipeline(state)
            elif character == ")":
                self.at += 1
                if closer == ")" and state.parens == 0 and state.cases == 0:
                    return
                state.parens = max(0, state.parens - 1)
                self._end_pipeline(state)
            else:
                self._word(state)

    def _operator(self, state: _State) -> None:
        two = self.text[self.at : self.at + 2]
        if two in ("&&", "||", ";;", ";&"):
            self.at += 2
            self._end_pipeline(state)
        elif two == "|&" or two[0] == "|":
            self.at += 2 if two == "|&" else 1
            state.pipeline.append(state.command)
            state.command = Command(in_test=state.in_test)
        else:
            self.at += 1
            self._end_pipeline(state)

    def _end_pipeline(self, state: _State) -> None:
        command = state.command
        if command.words or command.redirects or command.given or state.pipeline:
            state.pipeline.append(command)
            self.pipelines.append(state.pipeline)
        state.pipeline, state.command = [], Command(in_test=state.in_test)

    def _redirect(self, state: _State) -> None:
        found = _REDIRECT.match(self.text, self.at)
        operator = found[0] if found else self.text[self.at]
        self.at += len(operator)
        while self.text[self.at : self.at + 1] in tuple(_BLANKS):
            self.at += 1
        target = self._read_word()
        if operator == "<<<":
            state.command.given = target
        elif operator in ("<<", "<<-"):
            self.waiting.append(_Heredoc(state.command, target.text, operator == "<<-", not target.quoted))
        else:
            state.command.redirects.append((operator, target))

    def _heredocs(self) -> None:
        for waiting in self.waiting:
            body = self._heredoc_body(waiting)
            inner = Reader(body, self.budget, self.pipelines, self.depth + 1)
            computed = inner.read_data() if waiting.expands else False
            waiting.command.given = Word(body, computed=computed)
        self.waiting = []

    def _heredoc_body(self, waiting: _Heredoc) -> str:
        """Return the lines up to the one that says the end; as in bash, all there are where none does."""
        text, start = self.text, self.at
        at = text.find(waiting.end, start)
        while at >= 0:
            self.budget.spend()
            line = text.rfind("\n", 0, at) + 1
            after = at + len(waiting.end)
            before = text[line:at].strip("\t") if waiting.strip_tabs else text[line:at]
            if not before and line >= start and text[after : after + 1] in ("", "\n", "\r"):
                newline = text.find("\n", after)
                self.at = len(text) if newline < 0 else newline + 1
                return text[start:line]
            at = text.find(waiting.end, after + (not waiting.end))
        self.at = len(text)
        return text[start:]

    def _word(self, state: _State) -> None:
        word = self._read_word()
        words = state.command.words
        plain = not (word.quoted or word.computed)
        if plain and word.text == "]]":
            state.in_test = False
        if not words and plain:
            if word.text == "[[":
                state.in_test = state.command.in_test = True
            if word.text == "case":
                state.cases += 1
            if word.text == "esac":
                state.cases = max(0, state.cases - 1)
                return
            if word.text in KEYWORDS:
                return
        words.append(word)

    def _read_word(self) -> Word:
        text, word, made = self.text, Word(), []
        while self.at < len(text):
            character = text[self.at]
            run = _PLAIN.match(text, self.at)
            if run:
                made.append(run[0])
                self.at = run.end()
                continue
            if character in "<>" and text[self.at + 1 : self.at + 2] == "(":
                self.at += 2
                self._nested(word, feeds=True)
                continue
            if character in " \t\r\f\v\n;&|()<>":
                break
            self.budget.spend()
            if character == "\\":
                if text[self.at + 1 : self.at + 2] != "\n":
                    word.quoted = True
                    made.append(text[self.at + 1 : self.at + 2])
                self.at += 2
            elif character == "'":
                made.append(self._single(word))
            elif character == '"':
                self._flush(word, made)
                self._double(word)
            elif character in "$`":
                self._flush(word, made)
                self._expansion(word, quoted=False)
            else:  # the start of a pattern or a list in braces
                word.pattern = True
                made.append(character)
                self.at += 1
        self._flush(word, made)
        return word

    def _flush(self, word: Word, made: list[str]) -> None:
        word.text += "".join(made)
        made.clear()

    def _single(self, word: Word) -> str:
        end = self.text.find("'", self.at + 1)
        if end < 0:
            raise NotUnderstood("a quote without an end")
        inner = self.text[self.at + 1 : end]
        self.at = end + 1
        word.quoted = True
        return inner

    def _double(self, word: Word) -> None:
        text = self.text
        self.at += 1
        word.quoted = True
        while True:
            run = _QUOTED.match(text, self.at)
            if run:
                word.text += run[0]
                self.at = run.end()
            if self.at >= len(text):
                raise NotUnderstood("a quote without an end")
            character = text[self.at]
            if character == '"':
                self.at += 1
                return
            self.budget.spend()
            if character == "\\":
                after = text[self.at + 1 : self.at + 2]
                word.text += (
                    "" if after == "\n" else after if after in ('"', "\\", "$", "`") else "\\" + after
                )
                self.at += 2
            else:
                self._expansion(word, quoted=True)

    def _expansion(self, word: Word, *, quoted: bool) -> None:
        """Read what begins with `$` or a backtick."""
        text, at = self.text, self.at
        if text[at] == "`":
            self._backticks(word)
            return
        after = text[at + 1 : at + 2]
        arithmetic = _ARITHMETIC.match(text, at) if after == "(" else None
        if arithmetic:
            self.at, word.computed = arithmetic.end(), True
            word.text += "$(())"
        elif after == "(":
            self.at += 2
            self._nested(word, feeds=False)
        elif after == "{":
            self._braces(word)
        elif after == "'" and not quoted:
            self._ansi_c(word)
        elif after == '"' and not quoted:
            self.at += 1
        else:
            name = _NAME.match(text, at + 1)
            self.at = name.end() if name else at + 1
            word.text += text[at : self.at]
            word.computed = word.computed or name is not None

    def _nested(self, word: Word, *, feeds: bool) -> None:
        """Read commands up to the closing parenthesis."""
        first = len(self.pipelines)
        self.depth += 1
        self._commands(")")
        self.depth -= 1
        word.computed = True
        word.text += "<()" if feeds else "$()"
        if feeds:
            word.feeds.extend(self.pipelines[first:])

    def _braces(self, word: Word) -> None:
        start = self.at
        self.at += 2
        inner = Word()
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise NotUnderstood("expansions nested too deep")
        while True:
            if self.at >= len(self.text):
                raise NotUnderstood("an expansion without an end")
            character = self.text[self.at]
            self.budget.spend()
            if character == "}":
                break
            if character == "\\":
                self.at += 2
            elif character == '"':
                self._double(inner)
            elif character in "$`":
                self._expansion(inner, quoted=True)
            else:
                run = re.compile(r'[^}\\"$`]+').match(self.text, self.at)
                self.at = run.end() if run else self.at + 1
        self.depth -= 1
        self.at += 1
        word.text += self.text[start : self.at] if self.at - start < 100 else "${}"
        word.computed = True

    def _ansi_c(self, word: Word) -> None:
        end = self.at + 2
        while self.text[end : end + 1] not in ("'", ""):
            end += 2 if self.text[end] == "\\" else 1
        if end >= len(self.text):
            raise NotUnderstood("a quote without an end")
        word.text += _ANSI_C.sub(_ansi_c_character, self.text[self.at + 2 : end])
        word.quoted = True
        self.at = end + 1

    def _backticks(self, word: Word) -> None:
        found = re.compile(r"`((?:[^`\\]|\\.)*+)`", re.DOTALL).match(self.text, self.at)
        if found is None:
            raise NotUnderstood("a backtick without an end")
        self.at = found.end()
        inner = Reader(re.sub(r"\\([`\\$])", r"\1", found[1]), self.budget, self.pipelines, self.depth + 1)
        inner.read()
        word.computed = True
        word.text += "$()"


def _ansi_c_character(found: re.Match[str]) -> str:
    for group, base in ((1, 16), (2, 16), (3, 16), (4, 8)):
        if found[group] is not None:
            code = int(found[group], base)
            return chr(code) if code <= 0x10FFFF else "\ufffd"
    if found[5] is not None:
        return chr(ord(found[5].upper()) & 0x1F)
    return _ANSI_C_LETTERS.get(found[6], found[6])
