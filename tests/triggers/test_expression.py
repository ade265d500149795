import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.triggers.expression import Expression, Variables, compile_checked

NAMES = [
    "action.tool",
    "action.arguments.x",
    "confidence",
    "subject.id",
    "bundle.messages",
    "now",
    "m",
    "nope",
]
PIECES = [*NAMES, "(", ")", "[", "]", "{", "}", ".", ",", "&&", "||", "!", "==", "<", "+", "/", "?", ":", "1", "0.5",
          '"t"', "'", '"', "true", "null", "in", "has", "size", ".exists(m, ", ".map(m, ", ".matches(", "//", "\n",
          " ", "\\", "é", "-", "%", "b'x'", 'r"\\d"', '"""']  # fmt: skip


def flaws(text: str) -> list[str]:
    found = compile_checked(text, Variables())
    assert isinstance(found, list), "it compiled"
    return [flaw.message for flaw in found]


def reads(text: str) -> tuple[set[str], set[str]]:
    found = compile_checked(text, Variables())
    assert isinstance(found, Expression), found
    return {".".join(path) for path in found.reads}, {".".join(path) for path in found.asks}


@pytest.mark.parametrize(
    ("text", "values", "presences"),
    [
        ("action.arguments.amount > 10", {"action.arguments.amount"}, set()),
        ('action["arguments"]["to account"] == "x"', {"action.arguments.to account"}, set()),
        ("has(subject.tier) && subject.tier == 'vip'", {"subject.tier"}, {"subject.tier"}),
        ("bundle.messages.exists(m, m.content == action.tool)", {"bundle.messages", "action.tool"}, set()),
        ("action.arguments.items[0].price > 3", {"action.arguments.items"}, set()),
        ("action.arguments[action.tool] == 1", {"action.arguments", "action.tool"}, set()),
        ("now.getHours() > 20", {"now"}, set()),
        ('action.tool.startsWith("a.b(c")', {"action.tool"}, set()),
        ("type(action.arguments.n) == int // confidnce", {"action.arguments.n"}, set()),
        ("{action.tool: 1}.size() == 1", {"action.tool"}, set()),
    ],
)
def test_an_expression_reads_only_the_paths_in_it(text: str, values: set[str], presences: set[str]) -> None:
    assert reads(text) == (values, presences)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bundle.messages.exists(m, bundle.messages.exists(n, n == m))", "inside another comprehension"),
        ("[1].map(a, [2].map(b, a + b)).size() > 1", "inside another comprehension"),
        ("bundle.messages.all(m, m in action.arguments.list)", "walks a second list"),
        ("action.arguments.s.matches(action.arguments.p)", "must be written out"),
        ('action.arguments.s.matches("a" + action.arguments.p)', "must be written out"),
        ('action.arguments.s.matches("(")', "not a valid pattern"),
        ('action.arguments.s.matches("(a{60}){60}{60}{60}")', "not a valid pattern"),
        ('action.arguments.s.matches("\\\\w{1000}")', "repeats at most 64"),
        ("bundle.messages.exists(action, true)", "'action' is taken"),
        ("bundle.messages.exists(m)", "takes a name and an expression"),
        ("bundle.messages.exists()", "takes a name and an expression"),
        ("Foo{a: 1} == 1", "is no type that can be built"),
        (".action.tool == 'x'", "cannot start with a dot"),
        ("action.tool.length > 3", "action.tool is a text and has no field 'length'"),
        ("bundle.messages.content == 'x'", "bundle.messages is a list and has no field 'content'"),
        ("bundle.action.tool == 'x'", "write action."),
        ("0.6 > confidnce", "did you mean 'confidence'?"),
        ("'high' == confidence", "cannot be compared with text"),
        ("now > 5", "now is a time"),
        ("action.arguments.x / 0 > 1", "division by zero"),
        ("99999999999999999999 > action.arguments.x", "invalid int literal"),
        ("action.arguments.x = 3", "CEL writes == for a comparison"),
        ("__v0 > 1", "unknown name '__v0'"),
        ("bundle.messages.exists(__v0, true)", "'__v0' is taken"),
        ("(" * 900 + "1" + ")" * 900, "not CEL"),
        ("[" * 900 + "]" * 900, "not CEL"),
        ("true ? 1 : " * 150 + "1", "not CEL"),
        ("x" * 3000, "at most 2000"),
    ],
)  # fmt: skip
def test_what_could_fail_or_crawl_later_is_refused_at_load(text: str, expected: str) -> None:
    assert any(expected in message for message in flaws(text)), flaws(text)


@given(st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join))
def test_any_pieces_of_cel_compile_or_are_refused(text: str) -> None:
    found = compile_checked(text, Variables())

    assert isinstance(found, Expression) or all(0 <= flaw.at <= len(text) for flaw in found)


@given(st.text(max_size=60))
def test_any_text_compiles_or_is_refused(text: str) -> None:
    assert compile_checked(text, Variables())
