"""One CEL expression: checked at load, then compiled over flat variables.

The engine clones every map that a path walks through, so `action.arguments.amount > 10` cost 188 µs beside an
unrelated list of 2,000 items (0.5 µs alone, measured 2026-11-24). Therefore each path is replaced by a variable of its
own before compiling: an evaluation converts only what its triggers read, a missing field is known by name, and
`has(path)` becomes a boolean that is computed here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from signoff.domain.near import meant
from signoff.domain.policy import MAX_EXPRESSION_CHARS
from signoff.triggers.cost import Cost, Pattern, pattern_cost
from signoff.triggers.engine import Context, Program, compile_expression
from signoff.triggers.fields import (
    FUNCTIONS,
    MACROS,
    ROOTS,
    TYPES,
    Kind,
    Path,
    kind_of,
    wrong_path,
)

MAX_PATTERN_CHARS = 200
MAX_REPEAT = 64  # {n} of a regex: \w{100} takes 26 ms to compile, each time it is used
MAX_COMPREHENSIONS = 4
LIST_CAP = 2000
"""Items of a list that `all`, `exists` and `exists_one` walk: as many as a bundle may have messages (1 ms)."""
SLOW_LIST_CAP = 200
"""The same for `map` and `filter`, which the engine runs in quadratic time (2,000 objects: 1.1 s), and for
`matches`, which compiles its pattern again for each item."""

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<text>[rRbB]{0,2}(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<number>0[xX][0-9a-fA-F]+[uU]?|[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?[uU]?|\.[0-9]+(?:[eE][-+]?[0-9]+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<mark>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])""",
    re.VERBOSE | re.DOTALL,
)
_ALONE = re.compile(r"\s*__v\d+\s*")
_BARE = re.compile(r"\s*__v\d+\s*(==|!=|<=?|>=?)[^&|?:]*\Z")
_ENGINE_PROBLEM = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_REPEAT = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_WORD_OPERATORS = {"and": "&&", "or": "||", "not": "!"}
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something wrong in an expression, and the offset of its first character."""

    at: int
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """A compiled expression and what it needs; one object for each text of a policy."""

    text: str
    program: Program
    reads: tuple[Path, ...]
    """Paths whose values it needs, each once."""
    asks: tuple[Path, ...]
    """Paths it only asks `has()` of."""
    list_cap: int | None
    """How many items a list that it walks may have; None where it walks none."""
    cost: Cost
    flat: str
    """The text over variables, as it was compiled."""
    members: frozenset[str]
    """Field names in the text that stand after no known root, such as `content` in `m.content`."""

    @property
    def is_bare(self) -> bool:
        """Say whether it begins with a path and compares it: nothing is evaluated before that."""
        return _BARE.match(self.flat) is not None

    @property
    def path(self) -> Path | None:
        """Return the path that the expression is, where it is nothing but a path."""
        return self.reads[0] if _ALONE.fullmatch(self.flat) else None


@dataclass(slots=True)
class Variables:
    """The flat variables of one policy: a name for each path, the same in all its expressions."""

    signals: Mapping[str, Kind] = field(default_factory=dict)
    """The signals that the policy declares, with the kind of their values."""
    values: dict[Path, str] = field(default_factory=dict)
    present: dict[Path, str] = field(default_factory=dict)

    def value(self, path: Path) -> str:
        """Return the variable that holds the value at a path."""
        return self.values.setdefault(path, f"__v{len(self.values)}")

    def presence(self, path: Path) -> str:
        """Return the variable that says whether there is a value at a path."""
        return self.present.setdefault(path, f"__h{len(self.present)}")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int

    @property
    def end(self) -> int:
        return self.at + len(self.text)


@dataclass(slots=True)
class _Frame:
    """An open bracket."""

    macro: str | None = None
    variable: str | None = None


@dataclass(slots=True)
class _Scan:
    """What one pass over the tokens finds."""

    tokens: list[_Token]
    variables: Variables
    flaws: list[Flaw] = field(default_factory=list)
    edits: list[tuple[int, int, str]] = field(default_factory=list)
    reads: dict[Path, int] = field(default_factory=dict)
    """With how often each is read."""
    asks: dict[Path, None] = field(default_factory=dict)
    body_reads: dict[Path, int] = field(default_factory=dict)
    """The same inside comprehensions."""
    item_uses: int = 0
    patterns: list[Pattern] = field(default_factory=list)
    body_patterns: list[Pattern] = field(default_factory=list)
    members: set[str] = field(default_factory=set)
    frames: list[_Frame] = field(default_factory=list)
    macros: list[str] = field(default_factory=list)
    slow: bool = False

    def text(self, index: int) -> str:
        """Return a token's text, empty beyond either end."""
        return self.tokens[index].text if 0 <= index < len(self.tokens) else ""

    def flaw(self, index: int, message: str) -> None:
        """Note a flaw at a token."""
        self.flaws.append(Flaw(self.tokens[index].at, message))

    @property
    def in_body(self) -> bool:
        """Say whether the place is inside a comprehension."""
        return any(frame.macro for frame in self.frames)


def compile_checked(text: str, variables: Variables) -> Expression | list[Flaw]:
    """Compile an expression, or say everything that is wrong with it.

    Refused: what the engine cannot parse, unknown names, fields and functions, comprehensions inside
    comprehensions, patterns that are not written out, and comparisons whose types cannot fit.
    """
    if len(text) > MAX_EXPRESSION_CHARS:
        return [Flaw(0, f"an expression of {len(text)} characters; at most {MAX_EXPRESSION_CHARS}")]
    program = _engine_compile(text)
    if isinstance(program, list):
        return program
    scan = _Scan([token for token in _tokens(text) if token.kind != "space"], variables)
    _walk(scan)
    if scan.flaws:
        return scan.flaws
    flat = text
    for start, end, name in reversed(scan.edits):
        flat = flat[:start] + name + flat[end:]
    compiled = _engine_compile(flat)
    if isinstance(compiled, list):
        return [Flaw(0, flaw.message) for flaw in compiled]
    return Expression(
        text,
        compiled,
        tuple(scan.reads),
        tuple(scan.asks),
        _list_cap(scan),
        _cost(scan),
        flat,
        frozenset(scan.members),
    )


def _cost(scan: _Scan) -> Cost:
    marks = [token.text for token in scan.tokens]
    return Cost(
        tokens=len(scan.tokens),
        uses=scan.reads,
        body_uses=scan.body_reads,
        item_uses=scan.item_uses,
        joins=marks.count("+"),
        listed=marks.count(",") + marks.count("["),
        macros=len(scan.macros),
        copying=sum(macro in ("map", "filter") for macro in scan.macros),
        patterns=tuple(scan.patterns),
        body_patterns=tuple(scan.body_patterns),
    )


def constant_result(expression: Expression) -> Any:
    """Return what an expression gives that reads nothing, None where it reads something or fails."""
    if expression.reads or expression.asks:
        return None
    try:
        return expression.program.execute(Context())
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        return None


def _list_cap(scan: _Scan) -> int | None:
    if not scan.macros:
        return None
    return SLOW_LIST_CAP if scan.slow or {"map", "filter"} & set(scan.macros) else LIST_CAP


def _engine_compile(text: str) -> Program | list[Flaw]:
    try:
        return compile_expression(text)
    # The engine answers some inputs with a Rust panic, whose class derives from BaseException.
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        flaws = [_engine_flaw(text, found) for found in _ENGINE_PROBLEM.finditer(str(error))]
        return flaws[:1] or [Flaw(0, "the expression cannot be compiled")]


def _engine_flaw(text: str, found: re.Match[str]) -> Flaw:
    lines = text.split("\n")
    line = min(int(found[1]), len(lines)) - 1
    at = min(sum(len(earlier) + 1 for earlier in lines[:line]) + int(found[2]) - 1, max(len(text) - 1, 0))
    said = found[3].split(" expecting {")[0].strip().rstrip(".")
    said = said.removeprefix("Syntax error: ").replace("<EOF>", "the end")
    hint = ""
    for token in _tokens(text):
        if token.kind == "name" and token.text in _WORD_OPERATORS:
            hint = f"; CEL writes {_WORD_OPERATORS[token.text]} for '{token.text}'"
            break
    if "has() macro" in said:
        said, hint = (
            "has() takes a field after a dot",
            "; write has(bundle.confidence), has(action.arguments.x)",
        )
    elif not hint and re.search(r"(?<![=!<>])=(?!=)", text):
        hint = "; CEL writes == for a comparison"
    return Flaw(at, f"not CEL: {said}{hint}")


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:  # only in text that the engine refused
            at += 1
            continue
        yield _Token(str(found.lastgroup), found[0], at)
        at = found.end()


def _walk(scan: _Scan) -> None:
    index = 0
    while index < len(scan.tokens):
        token = scan.tokens[index]
        if token.kind == "name":
            index = _name(scan, index)
            continue
        if token.text in "([{":
            scan.frames.append(_Frame())
        elif token.text in ")]}":
            del scan.frames[-1:]
        elif token.text == "/" and _is_zero(scan, index + 1):
            scan.flaw(index, "division by zero")
        elif token.text == "." and not _ends_operand(scan, index - 1):
            scan.flaw(index, "a name cannot start with a dot")
        index += 1


def _name(scan: _Scan, index: int) -> int:
    """Take a name: a member, a function, a macro, a variable, or a path; return the next index."""
    token = scan.tokens[index]
    called = scan.text(index + 1) == "("
    if token.text in ("true", "false", "null"):
        return index + 1
    if token.text == "in":
        if scan.in_body and scan.text(index + 1) != "[":
            scan.flaw(index, "'in' inside a comprehension walks a second list; write that list out in [ ]")
        return index + 1
    if scan.text(index - 1) == ".":
        if not called:
            scan.members.add(token.text)
            return index + 1
        return _macro(scan, index) if token.text in MACROS else _function(scan, index)
    if token.text == "has" and called:
        return _has(scan, index)
    if called:
        return _function(scan, index)
    if scan.text(index + 1) == "{":
        scan.flaw(index, f"'{token.text}' is no type that can be built")
        return index + 1
    if _in_scope(scan, token.text):
        scan.item_uses += 1
        return index + 1
    if token.text in ROOTS:
        return _path(scan, index)
    if token.text not in TYPES:
        known = [*ROOTS, *(frame.variable for frame in scan.frames if frame.variable)]
        scan.flaw(
            index,
            f"unknown name '{token.text}'{meant(token.text, known) or '; the names are ' + ', '.join(ROOTS)}",
        )
    return index + 1


def _in_scope(scan: _Scan, name: str) -> bool:
    return any(frame.variable == name for frame in scan.frames)


def _macro(scan: _Scan, index: int) -> int:
    macro = scan.text(index)
    variable = scan.text(index + 2)
    if scan.text(index + 3) != "," or scan.tokens[index + 2].kind != "name":
        scan.flaw(index, f'{macro}() takes a name and an expression, such as {macro}(m, m.role == "user")')
        scan.frames.append(_Frame())
        return index + 2
    if scan.in_body:
        scan.flaw(
            index, f"{macro}() inside another comprehension; an agent could make it slow. Split the rule"
        )
    if variable in ROOTS or variable in TYPES or variable.startswith("__"):
        scan.flaw(index + 2, f"'{variable}' is taken; choose another name for the item")
    scan.macros.append(macro)
    if len(scan.macros) == MAX_COMPREHENSIONS + 1:
        scan.flaw(index, f"more than {MAX_COMPREHENSIONS} comprehensions in one expression")
    scan.frames.append(_Frame(macro, variable))
    return index + 3


def _function(scan: _Scan, index: int) -> int:
    name = scan.text(index)
    if name not in FUNCTIONS:
        scan.flaw(index, f"unknown function '{name}'{meant(name, [*FUNCTIONS, *MACROS, 'has'])}")
    if name == "matches":
        scan.slow = scan.slow or scan.in_body
        _pattern(scan, index)
    scan.frames.append(_Frame())
    return index + 2


def _pattern(scan: _Scan, index: int) -> None:
    """Check the pattern of `matches`, its last argument: written out, short, and one that compiles."""
    depth, at = 1, index + 2
    while depth and at < len(scan.tokens):
        depth += {"(": 1, ")": -1}.get(scan.text(at), 0)
        at += 1
    last = at - 2
    token = scan.tokens[last]
    if token.kind != "text" or scan.text(last - 1) not in ("(", ","):
        scan.flaw(index, "the pattern of matches() must be written out as text; an agent could make it slow")
        return
    repeats = [int(found[2] or found[1]) for found in _REPEAT.finditer(token.text)]
    if len(token.text) > MAX_PATTERN_CHARS or any(count > MAX_REPEAT for count in repeats):
        scan.flaw(
            last,
            f"a pattern has at most {MAX_PATTERN_CHARS} characters and repeats at most {MAX_REPEAT} times",
        )
        return
    program = _engine_compile(f"''.matches({token.text})")
    if isinstance(program, list):
        scan.flaw(last, "the pattern cannot be compiled")
        return
    try:
        program.execute(Context())
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        scan.flaw(last, f"not a valid pattern (RE2 syntax): {_pattern_error(str(error))}")
        return
    written = compile_expression(token.text).execute(Context())
    (scan.body_patterns if scan.in_body else scan.patterns).append(pattern_cost(str(written)))


def _pattern_error(said: str) -> str:
    found = re.search(r"\nerror: (.*?)(?:\. Check function|$)", said)
    return found[1] if found else "it cannot be compiled, or is too large"


def _has(scan: _Scan, index: int) -> int:
    """Replace `has(path)` by a variable; leave `has(item.field)` to the engine."""
    name = scan.text(index + 2)
    if name not in ROOTS or _in_scope(scan, name):
        scan.frames.append(_Frame())
        return index + 2
    path, after = _static_path(scan, index + 2)
    if scan.text(after) != ")":
        scan.frames.append(_Frame())
        return index + 2
    wrong = wrong_path(path, scan.variables.signals)
    if wrong:
        scan.flaw(index + 2, wrong)
        return after + 1
    scan.asks[path] = None
    scan.edits.append((scan.tokens[index].at, scan.tokens[after].end, scan.variables.presence(path)))
    return after + 1


def _path(scan: _Scan, index: int) -> int:
    """Replace a path by its variable; what follows it (an index, a method) stays."""
    path, after = _static_path(scan, index)
    wrong = wrong_path(path, scan.variables.signals)
    if wrong:
        scan.flaw(index, wrong)
        return after
    _check_comparison(scan, index, after, kind_of(path, scan.variables.signals), path)
    scan.reads[path] = scan.reads.get(path, 0) + 1
    if scan.in_body:
        scan.body_reads[path] = scan.body_reads.get(path, 0) + 1
    scan.edits.append((scan.tokens[index].at, scan.tokens[after - 1].end, scan.variables.value(path)))
    return after


def _static_path(scan: _Scan, index: int) -> tuple[Path, int]:
    """Return the path that starts at a root and the index after it: `.name` and `["name"]` belong to it."""
    path = [scan.text(index)]
    index += 1
    while True:
        if scan.text(index) == "." and scan.text(index + 2) != "(":
            path.append(scan.text(index + 1))
            index += 2
            continue
        key = (
            _plain_text(scan, index + 1) if scan.text(index) == "[" and scan.text(index + 2) == "]" else None
        )
        if key is None:
            return tuple(path), index
        path.append(key)
        index += 3


def _plain_text(scan: _Scan, index: int) -> str | None:
    """Return the text of a literal without escapes, None for anything else."""
    literal = scan.text(index)
    found = re.fullmatch(r"""(["'])([^"'\\\n]*)\1""", literal)
    return found[2] if found else None


def _check_comparison(scan: _Scan, start: int, after: int, kind: Kind, path: Path) -> None:
    """Refuse a comparison with a literal that can never be evaluated, such as `confidence < "0.6"`."""
    if scan.text(after) in _COMPARISONS:
        other = after + 1
    elif scan.text(start - 1) in _COMPARISONS:
        other = start - 2
    else:
        return
    literal = scan.tokens[other] if 0 <= other < len(scan.tokens) else None
    if literal is None:
        return
    if literal.text in ("true", "false"):
        given = "true or false"
    elif literal.kind in ("text", "number"):
        given = literal.kind
    else:
        return
    if kind != "any" and kind != given:
        scan.flaw(
            other, f"{'.'.join(path)} is a {kind} and cannot be compared with {given} {literal.text[:40]}"
        )


def _is_zero(scan: _Scan, index: int) -> bool:
    token = scan.tokens[index] if index < len(scan.tokens) else None
    return token is not None and token.kind == "number" and not token.text.strip("0.uU")


def _ends_operand(scan: _Scan, index: int) -> bool:
    if index < 0:
        return False
    token = scan.tokens[index]
    return token.kind in ("name", "text", "number") or token.text in (")", "]", "}")
