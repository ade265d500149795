r"""Say what SQL would destroy, in words of our own; or that it cannot be told.

Databases do not agree where a string or a comment ends: `'\'` is a string to PostgreSQL and the beginning of one to
MySQL, `#` begins a comment for MySQL alone, and MySQL runs what stands in `/*! … */`. A text is therefore read as
each of them reads it, and everything found in any reading counts. Keywords are looked at wherever they stand and not
only where a statement begins, so common table expressions, EXPLAIN, IF and statements that T-SQL puts one after the
other without a semicolon are seen as well.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from signoff.triggers.signals.shell_reader import Budget, TooLong

MAX_CHARS = 64 * 1024
MAX_TOKENS = 4000
"""Tokens of all readings together, so that a text takes 15 ms at the most: 1,000 to 4,000 words and signs."""


@dataclass(frozen=True, slots=True)
class _Dialect:
    backslash: bool = False
    hash: bool = False
    nested: bool = False
    brackets: bool = False
    dollars: bool = False
    strict_dashes: bool = False
    """`--` begins a comment only before a space (MySQL)."""
    double_is_text: bool = False


STANDARD = _Dialect()
POSTGRES = _Dialect(nested=True, dollars=True)
MYSQL = _Dialect(backslash=True, hash=True, strict_dashes=True, double_is_text=True)
TSQL = _Dialect(nested=True, brackets=True)
BIGQUERY = _Dialect(backslash=True, hash=True, double_is_text=True)


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is word, name (a quoted identifier), text, number or sign."""

    kind: str
    text: str
    depth: int


_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"[^\W\d][\w$]*|[@:$][@\w]+|\?", re.UNICODE)
_NUMBER = re.compile(r"\d[\w.]*|\.\d+\w*")
_DOLLAR = re.compile(r"\$([A-Za-z_]\w*)?\$")
_SIGN = re.compile(r"<>|!=|<=|>=|\|\||::|:=|.", re.DOTALL)

LEADS = frozenset(
    [
        "SELECT",
        "WITH",
        "INSERT",
        "UPDATE",
        "DELETE",
        "MERGE",
        "REPLACE",
        "TRUNCATE",
        "DROP",
        "ALTER",
        "CREATE",
        "GRANT",
        "REVOKE",
        "DENY",
        "SHOW",
        "DESCRIBE",
        "DESC",
        "EXPLAIN",
        "USE",
        "SET",
        "BEGIN",
        "START",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT",
        "RELEASE",
        "VALUES",
        "TABLE",
        "PRAGMA",
        "ANALYZE",
        "COMMENT",
        "DECLARE",
        "FETCH",
        "CLOSE",
        "OPEN",
        "LOCK",
        "UNLOCK",
        "LISTEN",
        "NOTIFY",
        "UNLISTEN",
        "CHECKPOINT",
        "VACUUM",
        "END",
        "ABORT",
        "DISCARD",
        "RESET",
        "CLUSTER",
        "REINDEX",
        "REFRESH",
        "OPTIMIZE",
        "COPY",
        "LOAD",
        "RENAME",
        "EXEC",
        "EXECUTE",
        "CALL",
        "DO",
        "PREPARE",
        "DEALLOCATE",
        "IMPORT",
        "EXPORT",
        "GO",
        "UPSERT",
        "FROM",
        "PRINT",
        "HELP",
        "CHECK",
        "SHUTDOWN",
        "KILL",
        "RESTORE",
        "BACKUP",
        "DBCC",
        "PURGE",
        "FLASHBACK",
        "DETACH",
        "ATTACH",
        "REASSIGN",
        "INSTALL",
        "UNDROP",
        "HANDLER",
        "FLUSH",
        "TRANSACTION",
        "TRAN",
        "WORK",
    ]
)
"""Words that a statement begins with; any other is not understood."""
_ALWAYS = {
    "SHUTDOWN": "SHUTDOWN", "KILL": "KILL", "RESTORE": "RESTORE", "DBCC": "DBCC", "PURGE": "PURGE",
    "FLASHBACK": "FLASHBACK", "DETACH": "DETACH", "REASSIGN": "REASSIGN OWNED", "LOAD": "LOAD",
    "INSTALL": "INSTALL", "UNDROP": "UNDROP",
}  # fmt: skip
_OBJECTS = [
    "TABLE",
    "DATABASE",
    "SCHEMA",
    "VIEW",
    "INDEX",
    "USER",
    "ROLE",
    "COLUMN",
    "CONSTRAINT",
    "PARTITION",
    "SEQUENCE",
    "FUNCTION",
    "PROCEDURE",
    "TRIGGER",
    "TYPE",
    "DOMAIN",
    "EXTENSION",
    "SERVER",
    "TABLESPACE",
    "POLICY",
    "RULE",
    "OWNED",
    "KEYSPACE",
    "EVENT",
    "LOGIN",
    "CATALOG",
    "WAREHOUSE",
    "STAGE",
    "PIPE",
    "TASK",
    "STREAM",
    "MATERIALIZED",
    "FOREIGN",
    "TEMPORARY",
    "PUBLIC",
    "EXTERNAL",
    "PRIMARY",
    "AGGREGATE",
    "CAST",
    "COLLATION",
    "LANGUAGE",
    "OPERATOR",
    "PUBLICATION",
    "SUBSCRIPTION",
    "SYNONYM",
    "PACKAGE",
    "DIRECTORY",
    "PROFILE",
    "GROUP",
    "ASSEMBLY",
    "CERTIFICATE",
    "CREDENTIAL",
    "DEFAULT",
    "STATISTICS",
]
_DANGEROUS_CALLS = frozenset(
    [
        "XP_CMDSHELL",
        "SP_OACREATE",
        "SP_CONFIGURE",
        "XP_REGWRITE",
        "PG_TERMINATE_BACKEND",
        "PG_READ_FILE",
        "PG_READ_BINARY_FILE",
        "PG_LS_DIR",
        "LO_UNLINK",
        "LO_EXPORT",
        "LO_IMPORT",
        "DBLINK_EXEC",
        "DBLINK",
        "LOAD_FILE",
        "LOAD_EXTENSION",
        "WRITEFILE",
        "SYS_EXEC",
        "SYS_EVAL",
        "UTL_FILE",
        "UTL_HTTP",
        "DBMS_SCHEDULER",
        "DBMS_JAVA",
        "QUERY_TO_XML",
        "OPENROWSET",
        "OPENQUERY",
        "SP_EXECUTESQL",
        "PG_RELOAD_CONF",
        "PG_DROP_REPLICATION_SLOT",
        "SP_MSFOREACHTABLE",
        "SP_RENAME",
        "EDIT",
        "FTS3_TOKENIZER",
    ]
)
_STATEMENTS = frozenset(
    [
        "SELECT",
        "INSERT",
        "UPDATE",
        "DELETE",
        "MERGE",
        "DROP",
        "TRUNCATE",
        "ALTER",
        "CREATE",
        "GRANT",
        "EXEC",
        "EXECUTE",
        "WITH",
        "GO",
    ]
)
_NOT_A_STATEMENT_AFTER = frozenset(
    [
        "ON",
        "FOR",
        "AFTER",
        "BEFORE",
        "INSTEAD",
        "OF",
        "OR",
        "TO",
        ",",
        ".",
        "KEY",
        "GRANT",
        "REVOKE",
        "DENY",
        "AS",
    ]
)


def sql_findings(text: str, *, budget: Budget | None = None) -> list[str]:
    """Return what SQL would destroy, each once.

    Raises:
        TooLong: More than is read.
    """
    if len(text) > MAX_CHARS:
        raise TooLong(f"more than {MAX_CHARS} characters")
    budget = budget or Budget(MAX_TOKENS, MAX_TOKENS)
    found: dict[str, None] = {}
    failures = 0
    dialects = _dialects(text)
    for dialect in dialects:
        tokens: list[Token] = []
        complete = _read(text, dialect, budget, tokens)
        failures += not complete
        found.update(dict.fromkeys(_judged(tokens, budget)))
    if failures == len(dialects):
        found["not understood: a string or comment without an end"] = None
    return list(found)


def _dialects(text: str) -> list[_Dialect]:
    """Return the readings of which no two can be the same."""
    made = [STANDARD]
    if "$" in text or "/*" in text:
        made.append(POSTGRES)
    if any(sign in text for sign in ("\\", "#", '"', "/*")) or re.search(r"--(?=\S)", text):
        made += [MYSQL, BIGQUERY]
    if "[" in text:
        made.append(TSQL)
    return made


def _read(text: str, dialect: _Dialect, budget: Budget, tokens: list[Token]) -> bool:
    """Append the tokens of a text; return False where a string or comment has no end."""
    at, depth, opened = 0, 0, 0
    while at < len(text):
        space = _SPACE.match(text, at)
        if space:
            at = space.end()
            continue
        budget.spend()
        two = text[at : at + 2]
        if (two == "--" and not (dialect.strict_dashes and text[at + 2 : at + 3].strip())) or (
            text[at] == "#" and dialect.hash
        ):
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
        elif two == "/*":
            runs = re.compile(r"/\*M?!\d*").match(text, at) if dialect is MYSQL else None
            if runs:
                at, opened = runs.end(), opened + 1
                continue
            closed = _comment_end(text, at, nested=dialect.nested)
            if closed is None:
                return False
            at = closed
        elif two == "*/" and opened:
            at, opened = at + 2, opened - 1
        else:
            made = _token(text, at, dialect)
            if made is None:
                return False
            kind, value, at = made
            if value == ")" and kind == "sign":
                depth -= 1
            tokens.append(Token(kind, value, depth))
            if value == "(" and kind == "sign":
                depth += 1
    return opened == 0


def _comment_end(text: str, at: int, *, nested: bool) -> int | None:
    if not nested:
        end = text.find("*/", at + 2)
        return None if end < 0 else end + 2
    depth = 0
    for found in re.compile(r"/\*|\*/").finditer(text, at):
        depth += 1 if found[0] == "/*" else -1
        if depth == 0:
            return found.end()
    return None


def _token(text: str, at: int, dialect: _Dialect) -> tuple[str, str, int] | None:
    character = text[at]
    escapes = dialect.backslash
    if dialect.dollars and character == "$":
        opening = _DOLLAR.match(text, at)
        if opening:
            end = text.find(opening[0], opening.end())
            return None if end < 0 else ("text", text[opening.end() : end], end + len(opening[0]))
    if character in "eE" and text[at + 1 : at + 2] == "'" and not dialect.backslash:
        at, character, escapes = at + 1, "'", True
    if character in "'\"`" or (character == "[" and dialect.brackets):
        closer = "]" if character == "[" else character
        closed = _quoted_end(text, at + 1, closer, escapes=escapes and character != "`")
        if closed is None:
            return None
        kind = "text" if character == "'" or (character == '"' and dialect.double_is_text) else "name"
        return kind, text[at + 1 : closed - 1], closed
    word = _WORD.match(text, at)
    if word:
        plain = word[0] if word[0].isascii() else unicodedata.normalize("NFKC", word[0])
        return "word", plain.upper(), word.end()
    number = _NUMBER.match(text, at)
    if number:
        return "number", number[0], number.end()
    sign = _SIGN.match(text, at)
    value = sign[0] if sign else character
    return "sign", value, at + len(value)


def _quoted_end(text: str, at: int, closer: str, *, escapes: bool) -> int | None:
    for found in re.compile(rf"\\.|{re.escape(closer) * 2}|{re.escape(closer)}" if escapes
                            else rf"{re.escape(closer) * 2}|{re.escape(closer)}", re.DOTALL).finditer(text, at):  # fmt: skip
        if found[0] == closer:
            return found.end()
    return None


@dataclass(slots=True)
class _Statement:
    tokens: list[Token]
    budget: Budget
    found: list[str] = field(default_factory=list)

    def word(self, at: int) -> str:
        """Return the keyword at a place, an empty text where there is none."""
        if 0 <= at < len(self.tokens) and self.tokens[at].kind in ("word", "sign"):
            return self.tokens[at].text
        return ""


def _judged(tokens: list[Token], budget: Budget) -> Iterator[str]:
    for statement in _split(tokens):
        yield from _statement(_Statement(statement, budget))


def _split(tokens: list[Token]) -> Iterator[list[Token]]:
    made: list[Token] = []
    for token in tokens:
        if token.kind == "sign" and token.text == ";":
            if made:
                yield made
            made = []
        else:
            made.append(token)
    if made:
        yield made


def _statement(one: _Statement) -> list[str]:
    words = {token.text for token in one.tokens if token.kind == "word"}
    start = 0
    while one.word(start) in ("(", "EXPLAIN", "BEGIN"):
        start += 1
    lead = one.word(start)
    if lead not in LEADS and not (start and start >= len(one.tokens)):
        one.found.append("not understood: a statement that is not known")
    if any(token.kind == "sign" and token.text == "\\" for token in one.tokens):
        one.found.append("not understood: a command of a database client")
    for call in sorted(words & _DANGEROUS_CALLS):
        one.found.append(f"call of {call.lower()}")
    for at, token in enumerate(one.tokens):
        if token.kind == "word":
            _keyword(one, at, token)
    _lead(one, lead, words)
    return one.found


def _keyword(one: _Statement, at: int, token: Token) -> None:
    """Judge one keyword where it stands."""
    before, after = one.word(at - 1), one.word(at + 1)
    match token.text:
        case "DROP":
            if at == 0 or after in _OBJECTS or after == "IF" or before == "THEN":
                kind = after if after in _OBJECTS else ""
                altering = one.word(0) == "ALTER" and at > 0
                one.found.append("ALTER … DROP" if altering else f"DROP {kind}".strip())
            elif one.word(0) == "ALTER":
                one.found.append("ALTER … DROP")
            elif (before in ("", ")") or not after) and before not in _NOT_A_STATEMENT_AFTER:
                one.found.append("DROP")
        case "TRUNCATE" if after != "(" and before not in _NOT_A_STATEMENT_AFTER:
            one.found.append("TRUNCATE")
        case "DELETE" if before not in _NOT_A_STATEMENT_AFTER and after not in (",", ")", "=", "."):
            if before == "THEN" and "MERGE" in {other.text for other in one.tokens[:at]}:
                one.found.append("MERGE … DELETE")
            else:
                _where(one, at, "DELETE")
        case "UPDATE" if before not in _NOT_A_STATEMENT_AFTER and before not in ("DO", "THEN", "KEY"):
            if after not in ("SET", ",", ")", "=", "."):
                _where(one, at, "UPDATE")
        case "OUTFILE" | "DUMPFILE":
            one.found.append("writes a file of the server")
        case "PROGRAM" if before in ("TO", "FROM"):
            one.found.append("runs a program of the server")
        case "OVERWRITE" if before == "INSERT":
            one.found.append("INSERT OVERWRITE")
        case "GRANT" if at and before not in ("OPTION", "FOR"):
            one.found.append("GRANT")


def _lead(one: _Statement, lead: str, words: set[str]) -> None:
    """Judge a statement by the word it begins with."""
    if lead in _ALWAYS:
        one.found.append(_ALWAYS[lead])
    elif lead in ("GRANT", "REVOKE", "DENY"):
        one.found.append("GRANT ALL" if lead == "GRANT" and "ALL" in words else lead)
        if lead == "GRANT" and "PUBLIC" in words:
            one.found.append("GRANT to everybody")
    elif lead in ("EXEC", "EXECUTE", "CALL", "DO", "PREPARE", "HANDLER"):
        one.found.append(f"not understood: code run by {lead}")
        for token in one.tokens:
            if token.kind == "text" and len(token.text) > 5:
                one.found += [
                    f for f in sql_findings(token.text, budget=one.budget) if not f.startswith("not ")
                ]
    elif lead == "ALTER":
        if words & {"USER", "ROLE", "LOGIN"}:
            one.found.append("ALTER ROLE")
        if "DISABLE" in words or ("NO" in words and "FORCE" in words):
            one.found.append("ALTER … DISABLE")
        if "RENAME" in words:
            one.found.append("ALTER … RENAME")
        if words & {"SYSTEM", "DATABASE"} and "SET" in words:
            one.found.append("ALTER SYSTEM")
    elif lead == "CREATE":
        if (
            words
            & {"FUNCTION", "PROCEDURE", "TRIGGER", "RULE", "EVENT", "EXTENSION", "PACKAGE"}
            & {one.word(at) for at in range(1, 6)}
        ):
            one.found.append("not understood: code that the database keeps")
        if {"USER", "ROLE", "LOGIN"} & {one.word(at) for at in range(1, 4)}:
            one.found.append("CREATE ROLE")
        if one.word(1) == "OR" and one.word(2) == "REPLACE" and "TABLE" in {one.word(3), one.word(4)}:
            one.found.append("CREATE OR REPLACE TABLE")
    elif lead == "REPLACE":
        one.found.append("REPLACE")
    elif lead == "RENAME":
        one.found.append("RENAME TABLE")
    elif lead == "PRAGMA" and "WRITABLE_SCHEMA" in words:
        one.found.append("PRAGMA writable_schema")
    elif lead == "COPY" and "TO" in words and any(token.kind == "text" for token in one.tokens):
        one.found.append("writes a file of the server")


def _where(one: _Statement, at: int, verb: str) -> None:
    """Note a DELETE or UPDATE that nothing narrows down."""
    depth = one.tokens[at].depth
    end = at + 1
    where = None
    while end < len(one.tokens):
        token = one.tokens[end]
        one.budget.spend()
        if token.depth < depth:
            break
        if token.depth == depth and token.kind == "word":
            if token.text in _STATEMENTS and one.word(end - 1) not in (
                "UNION",
                "ALL",
                "EXCEPT",
                "INTERSECT",
                "AS",
            ):
                break
            if token.text == "WHERE" and where is None:
                where = end
        end += 1
    if where is None:
        one.found.append(f"{verb} without WHERE")
    elif _is_always_true(one.tokens[where + 1 : end]):
        one.found.append(f"{verb} with a WHERE that is always true")


_ENDS = frozenset({"RETURNING", "ORDER", "LIMIT", "OPTION", "GROUP", "WINDOW"})
_NO_COLUMN = frozenset({"TRUE", "NOT", "IS", "NULL", "IN", "LIKE", "BETWEEN", "AND", "FALSE", "EXISTS"})


def _is_always_true(condition: list[Token]) -> bool:
    """Say whether a condition, or one side of an OR in it, compares no column with anything else."""
    tokens: list[Token] = []
    for token in condition:
        if token.kind == "word" and token.text in _ENDS:
            break
        tokens.append(token)
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if (token.kind == "word" and token.text in ("OR", "XOR")) or token.text == "||":
            parts.append([])
        elif not (token.kind == "sign" and token.text in "()"):
            parts[-1].append(token)
    return any(_names_no_column(part) for part in parts)


def _names_no_column(part: Iterable[Token]) -> bool:
    tokens = list(part)
    names = [
        token
        for token in tokens
        if token.kind == "name" or (token.kind == "word" and token.text not in _NO_COLUMN)
    ]
    if not names:
        return True
    if len(tokens) == 3 and tokens[1].text in ("=", ">=", "<="):
        return (tokens[0].kind, tokens[0].text) == (tokens[2].kind, tokens[2].text)
    return [token.text for token in tokens[1:]] in (["IS", "NOT", "NULL"], ["LIKE", "%"])
