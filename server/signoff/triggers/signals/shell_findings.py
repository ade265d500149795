"""Say what a shell command line would destroy, in words of our own; or that it cannot be told.

The words never repeat what an agent wrote, so a finding can be shown to everybody whom a mask keeps from the command.
A program that is not listed here, and what a script does, is not known: this reads a command, it does not run it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from posixpath import normpath

from signoff.triggers.signals.shell_reader import (
    MAX_DEPTH,
    Budget,
    Command,
    NotUnderstood,
    Pipeline,
    Reader,
    TooLong,
    Word,
)
from signoff.triggers.signals.sql_findings import sql_findings

COMPUTED_NAME = "not understood: the name of a command is computed"
SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "fish", "csh", "tcsh", "rbash"})
FETCHERS = frozenset({"curl", "wget", "fetch", "aria2c", "http", "https", "nc", "ncat", "socat"})
SQL_CLIENTS: dict[str, tuple[str, ...]] = {
    "psql": ("-c", "--command"), "mysql": ("-e", "--execute"), "mariadb": ("-e", "--execute"),
    "sqlcmd": ("-q", "-Q"), "clickhouse-client": ("-q", "--query"), "snowsql": ("-q", "--query"),
    "sqlite3": (), "duckdb": ("-c",), "bq": (),
}  # fmt: skip
"""Database clients, with the options that carry SQL; those without take it as their last words."""
INTERPRETERS: dict[str, tuple[str, ...]] = {
    "python": ("c",), "pypy": ("c",), "perl": ("e", "E"), "ruby": ("e",), "node": ("e", "p", "eval", "print"),
    "nodejs": ("e", "p", "eval", "print"), "deno": ("eval",), "bun": ("e", "eval"), "php": ("r",), "lua": ("e",),
    "osascript": ("e",), "rscript": ("e",), "powershell": ("c", "command", "enc", "encodedcommand", "e", "ec"),
    "pwsh": ("c", "command", "enc", "encodedcommand", "e", "ec"), "cmd": ("/c", "/k"), "tclsh": (), "expect": ("c",),
}  # fmt: skip
WRAPPERS: dict[str, tuple[str, int]] = {
    "sudo": ("ugpCDhrRtTU", 0), "doas": ("uCa", 0), "env": ("uCS", 0), "nohup": ("", 0), "nice": ("n", 0),
    "ionice": ("cnpPu", 0), "timeout": ("ks", 1), "gtimeout": ("ks", 1), "time": ("fo", 0), "command": ("", 0),
    "builtin": ("", 0), "exec": ("a", 0), "stdbuf": ("ioe", 0), "setsid": ("", 0), "busybox": ("", 0),
    "toybox": ("", 0), "chroot": ("", 1), "taskset": ("", 1), "flock": ("wE", 1), "caffeinate": ("tw", 0),
    "unbuffer": ("", 0), "chronic": ("", 0), "fakeroot": ("", 0), "watch": ("n", 0), "xargs": ("aILnPsdEi", 0),
    "gxargs": ("aILnPsdEi", 0), "parallel": ("jaNIS", 0), "run0": ("u", 0), "pkexec": ("u", 0), "strace": ("oeps", 0),
    "noglob": ("", 0), "nocorrect": ("", 0), "-": ("", 0),
}  # fmt: skip
"""Programs that run another: letters of options with a value, and words before the other program's name."""
LONG_WITH_VALUE = frozenset(
    {"--user", "--group", "--host", "--prompt", "--chdir", "--unset", "--adjustment", "--signal", "--kill-after",
     "--arg-file", "--replace", "--max-lines", "--max-args", "--max-procs", "--max-chars", "--delimiter", "--output",
     "--class", "--classdata", "--interval", "--split-string", "--format", "--jobs", "--argv0", "--command"}
)  # fmt: skip
FEEDS = frozenset({"xargs", "gxargs", "parallel"})
RUNNERS = frozenset(
    {"docker", "podman", "nerdctl", "kubectl", "oc", "ssh", "poetry", "uv", "pipenv", "npx", "bundle", "hatch", "conda",
     "mamba", "vagrant", "lxc", "machinectl", "wsl", "firejail", "systemd-run", "nsenter", "unshare", "script", "tmux",
     "screen", "docker-compose", "mise", "direnv", "rtk", "gosu", "su-exec", "tini", "dumb-init", "proxychains"}
)  # fmt: skip
"""Programs that take another program's name and arguments somewhere among their words."""
CONTAINERS = frozenset({"docker", "podman", "nerdctl", "docker-compose"})
SYSTEM = re.compile(
    r"/(?:etc|usr|bin|sbin|lib|lib32|lib64|boot|dev|sys|proc|var|opt|srv|run|System|Library|Applications|private/etc)"
    r"(?:/|\Z)|[A-Za-z]:[\\/]?(?:Windows\b.*)?\Z"
)
DEVICE = re.compile(
    r"/dev/(?!null\Z|zero\Z|stdout\Z|stderr\Z|stdin\Z|tty|fd/|u?random\Z|full\Z|tcp/|udp/|shm/)"
)
FORK_BOMB = re.compile(
    r"(?<![^\s;&|(){}])([^\s(){}|;&]{1,40}+)[ \t]{0,9}\(\)\s{0,9}\{\s{0,9}\1\s{0,9}\|\s{0,9}\1\s{0,9}&"
)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=")
_MAX_TEXT = 64 * 1024
"""Characters of one command line; documents belong into files."""


def shell_findings(text: str) -> list[str]:
    """Return what a command line would destroy, each once, in the order of the text.

    Raises:
        TooLong: More words than are read.
    """
    if len(text) > _MAX_TEXT:
        raise TooLong(f"more than {_MAX_TEXT} characters")
    judge = _Judge(Budget())
    judge.text(text, 0)
    return list(judge.found)


@dataclass(slots=True)
class _Call:
    """A program with its words, and where its input comes from."""

    name: str
    args: list[Word]
    command: Command
    left: Command | None
    """What writes into its standard input through a pipe."""
    fed: bool
    """Further arguments come from elsewhere (xargs, find -exec)."""
    depth: int

    texts: list[str] = field(init=False)
    letters: frozenset[str] = field(init=False)
    """Letters of all short options, `r` and `f` of `-rf`."""
    longs: frozenset[str] = field(init=False)
    """Options that begin with two hyphens or are one word, without their values."""

    def __post_init__(self) -> None:
        self.texts = [word.text for word in self.args]
        options = [text for text in self.texts[: self._end()] if text[:1] in ("-", "/")]
        self.letters = frozenset(
            "".join(text[1:] for text in options if text[1:2].isalnum() and text[0] == "-")
        )
        self.longs = frozenset(text.partition("=")[0] for text in options) | frozenset(options)

    def _end(self) -> int:
        return self.texts.index("--") if "--" in self.texts else len(self.texts)

    def has(self, *options: str) -> bool:
        """Say whether one of some options stands here: `-f` also in `-rf`, `--force` also as `--force=…`."""
        return any(
            option in self.longs or (len(option) == 2 and option[0] == "-" and option[1] in self.letters)
            for option in options
        )

    def long(self, option: str, shortest: int) -> bool:
        """Say whether a long option stands here, also shortened as GNU programs take it."""
        return any(len(given) >= shortest and option.startswith(given) for given in self.longs)

    def operands(self) -> list[Word]:
        ended, made = False, []
        for word in self.args:
            if word.text == "--" and not ended:
                ended = True
            elif ended or not word.text.startswith("-") or word.text == "-":
                made.append(word)
        return made


@dataclass(slots=True)
class _Judge:
    budget: Budget
    found: dict[str, None] = field(default_factory=dict)

    def note(self, finding: str) -> None:
        self.found[finding] = None

    def text(self, text: str, depth: int) -> None:
        """Judge everything that a text would run."""
        if depth > MAX_DEPTH:
            self.note("not understood: commands nested too deep")
            return
        if FORK_BOMB.search(text):
            self.note("fork bomb")
        reader = Reader(text, self.budget, depth=depth)
        try:
            reader.read()
        except NotUnderstood as why:
            self.note(f"not understood: {why}")
        for pipeline in reader.pipelines:
            self.pipeline(pipeline, depth)

    def pipeline(self, pipeline: Pipeline, depth: int) -> None:
        for number, command in enumerate(pipeline):
            left = pipeline[number - 1] if number else None
            self.redirects(command)
            self.command(command.words, command, left, fed=False, depth=depth)

    def redirects(self, command: Command) -> None:
        for operator, target in command.redirects:
            if ">" not in operator or operator == "<>":
                continue
            if DEVICE.match(target.text):
                self.note("write to a device")
            elif SYSTEM.match(target.text) and not target.text.startswith("/dev/"):
                self.note("write to a system file")
            elif operator in (">", ">|") and not command.words and not target.text.isdigit():
                self.note("empties a file")

    def command(
        self, words: list[Word], command: Command, left: Command | None, *, fed: bool, depth: int
    ) -> None:
        words = _without_assignments(words)
        if depth > MAX_DEPTH:
            self.note("not understood: commands nested too deep")
            return
        if not words:
            if fed:
                self.note("not understood: a command that another one reads")
            return
        self.budget.spend()
        name = words[0]
        if name.computed or (name.pattern and name.text not in ("[", "[[")):
            if not command.in_test:
                self.note(COMPUTED_NAME)
            return
        if not name.text.isascii() or not name.text.isprintable():
            self.note("not understood: unusual characters in the name of a command")
            return
        # File systems that ignore case run `/bin/RM`.
        base = name.text.replace("\\", "/").rpartition("/")[2].lower().removesuffix(".exe")
        if fed and base == "{}":
            self.note("not understood: a command that another one reads")
            return
        call = _Call(base, words[1:], command, left, fed, depth)
        if base == "function" or base in ("for", "select", "case"):
            rest = [word for word in words[2:] if word.text != "{"] if base == "function" else []
            if rest:
                self.command(rest, command, left, fed=False, depth=depth)
            return
        if base in WRAPPERS:
            self.wrapper(call)
        elif base in SHELLS:
            self.shell(call)
        elif base.rstrip("0123456789.") in INTERPRETERS:
            self.interpreter(call)
        elif base in SQL_CLIENTS:
            self.sql(call)
        else:
            handler = HANDLERS.get(base) or (
                HANDLERS["mkfs"] if base.startswith(("mkfs.", "newfs")) else None
            )
            if handler is not None:
                handler(self, call)
            if base in RUNNERS and (base not in CONTAINERS or {"exec", "run"} & set(call.texts)):
                self.runner(call)

    def wrapper(self, call: _Call) -> None:
        letters, skipped = WRAPPERS[call.name]
        args, index = call.args, 0
        if call.name == "command" and call.has("-v", "-V"):
            return
        while index < len(args) and (args[index].text.startswith("-") and args[index].text != "-"):
            text = args[index].text
            index += 1
            if text == "--":
                break
            if call.name == "env" and text.startswith(("-S", "--split-string")):
                inner = text.partition("=")[2] if text.startswith("--") else text[2:]
                words = ([inner] if inner else []) + [word.text for word in args[index:]]
                self.text(" ".join(words), call.depth + 1)
                return
            if call.name == "flock" and text in ("-c", "--command"):
                self.code(args[index : index + 1], call)
                return
            if text.startswith("--"):
                index += text in LONG_WITH_VALUE
            elif text[-1] in letters and _first_with_value(text, letters) == len(text) - 1:
                index += 1
        rest = args[index:]
        if call.name in ("env", "sudo", "doas"):
            rest = _without_assignments(rest)
        rest = rest[skipped:]
        if call.name == "flock" and rest and rest[0].text in ("-c", "--command"):
            self.code(rest[1:2], call)
            return
        if call.name in ("watch", "parallel") and len(rest) == 1:
            self.code(rest, call)
            return
        if not rest and call.name in ("sudo", "doas", "run0") and call.has("-s", "-i"):
            self.input(call)
            return
        fed = call.fed or call.name in FEEDS
        if not rest and call.name in ("xargs", "gxargs"):
            return  # it then runs echo
        self.command(rest, call.command, call.left, fed=fed, depth=call.depth + 1)

    def shell(self, call: _Call) -> None:
        index = 0
        while index < len(call.args) and call.args[index].text[:1] in ("-", "+"):
            word = call.args[index]
            index += 1
            if word.text in ("--version", "--help"):
                return
            if re.fullmatch(r"-[A-Za-z]*c[A-Za-z]*", word.text) or word.text == "--command":
                # bash takes further options between -c and the text: sh -c -e 'text'
                while (
                    index < len(call.args)
                    and call.args[index].text[:1] == "-"
                    and not call.args[index].quoted
                ):
                    index += 1
                self.code(call.args[index : index + 1], call)
                return
            if re.fullmatch(r"-[A-Za-z]*s[A-Za-z]*", word.text):
                self.input(call)
                return
            if word.text in ("-o", "+o", "-O", "+O", "--rcfile", "--init-file"):
                index += 1
        script = call.args[index] if index < len(call.args) else None
        if script is None or script.text in ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"):
            self.input(call)
        elif script.feeds:
            self.fetched(script.feeds)
        elif script.computed:
            self.note("not understood: a script whose name is computed")
        elif call.fed and "{}" in script.text:
            self.note("not understood: a command that another one reads")

    def fetched(self, feeds: Iterable[Pipeline]) -> None:
        names = {
            command.words[0].text.rpartition("/")[2] for one in feeds for command in one if command.words
        }
        self.note("curl | sh" if names & FETCHERS else "not understood: code that is computed")

    def input(self, call: _Call) -> None:
        """Judge a shell that reads commands from its standard input."""
        given = call.command.given
        if given is not None and not given.computed:
            self.text(given.text, call.depth + 1)
        elif given is not None:
            self.note("not understood: code that is computed")
        elif call.left is not None:
            words = [word.text.rpartition("/")[2] for word in call.left.words]
            self.note("curl | sh" if FETCHERS & set(words) else "not understood: what is piped into a shell")
        elif call.fed or any(operator.startswith("<") for operator, _ in call.command.redirects):
            self.note("not understood: what a shell reads from its input")

    def code(self, words: list[Word], call: _Call) -> None:
        """Judge a text that is handed to a shell."""
        if not words:
            self.note("not understood: code that another command reads")
        elif any(word.computed for word in words):
            # What does stand there is judged all the same.
            self.note("not understood: code that is computed")
            self.text(" ".join(word.text for word in words), call.depth + 1)
        else:
            text = " ".join(word.text for word in words)
            if call.fed and "{}" in text:
                self.note("not understood: code that another command reads")
            self.text(text, call.depth + 1)

    def interpreter(self, call: _Call) -> None:
        name = call.name.rstrip("0123456789.")
        options = INTERPRETERS[name]
        for word in call.args:
            text = word.text
            if text in ("--version", "--help", "-V", "-v", "-h") and len(call.args) == 1:
                return
            given = text.lstrip("-").partition("=")[0].lower()
            letters = text[1:].lower() if text[:1] == "-" and text[:2] != "--" else ""
            if (
                (text.startswith("-") and given in options)
                or any(len(option) == 1 and option.lower() in letters for option in options)
                or text.lower() in options
                or (
                    name in ("powershell", "pwsh", "cmd")
                    and not text.lower().endswith((".ps1", ".bat", "-file"))
                )
                or word.computed
            ):
                self.note(f"not understood: code given to {name}")
                return
            if text == "-":
                break
            if word.feeds:
                self.fetched(word.feeds)
                return
            if not text.startswith("-"):
                return  # a script; what it does is not known here
        piped = call.left is not None or call.command.given is not None
        if piped or any(operator.startswith("<") for operator, _ in call.command.redirects):
            self.note(f"not understood: code given to {name}")

    def sql(self, call: _Call) -> None:
        options, words = SQL_CLIENTS[call.name], []
        for place, word in enumerate(call.args):
            for option in options:
                if word.text == option:
                    words += call.args[place + 1 : place + 2]
                elif word.text.startswith(option + "=") or (
                    len(option) == 2 and word.text.startswith(option)
                ):
                    words.append(Word(word.text[len(option) :].lstrip("="), computed=word.computed))
        if call.name in ("sqlite3", "duckdb"):
            words += call.operands()[1:]
        if call.name == "bq":
            if {"rm", "remove"} & set(call.texts):
                self.note("bq rm")
            words += call.operands()[1:] if "query" in call.texts else []
        if call.command.given is not None:
            words.append(call.command.given)
        elif call.left is not None and not words:
            if call.left.words and call.left.words[0].text in ("echo", "printf"):
                words += [Word(" ".join(word.text for word in call.left.words[1:]),
                               computed=any(word.computed for word in call.left.words))]  # fmt: skip
            else:
                self.note("not understood: what is piped into a database")
        for word in words:
            if word.computed:
                self.note("not understood: SQL that is computed")
            for finding in sql_findings(word.text, budget=self.budget):
                self.note(finding)

    def runner(self, call: _Call) -> None:
        """Judge the program that another one is told to run, wherever it stands among its words."""
        for place, word in enumerate(call.args):
            name = word.text.rpartition("/")[2].lower()
            after = call.args[place + 1 :]
            if call.name == "ssh" and " " in word.text.strip() and not word.text.startswith("-"):
                self.code(call.args[place:], call)
                return
            if word.computed and call.args[place - 1 : place] and call.args[place - 1].text in ("--", "-c"):
                self.note(COMPUTED_NAME)
                return
            if name in STARTS and after:
                self.command(call.args[place:], call.command, call.left, fed=call.fed, depth=call.depth + 1)
                return


def _first_with_value(text: str, letters: str) -> int:
    return next((place for place, letter in enumerate(text) if place and letter in letters), -1)


def _without_assignments(words: list[Word]) -> list[Word]:
    index = 0
    while index < len(words) and _ASSIGNMENT.match(words[index].text):
        index += 1
    return words[index:]


def place_of(word: Word) -> str:
    """Return in our words what a path stands for."""
    text = re.sub(r"^\$\{?HOME\}?(?=/|\Z)", "~", word.text)
    if word.computed and not text.startswith("~"):
        return "a computed path"
    bare = re.sub(r"(?:/|/\*+|/\.\*?|/\.\?\*|/\.\[\^?!?\.\]\*|/\{[*.,?]+\})+\Z", "", text) or "/"
    normal = re.sub(r"^//+", "/", normpath(bare))
    if normal == "/":
        return "/"
    if re.fullmatch(r"~[A-Za-z0-9_-]*|/(?:home|Users)(?:/[^/]*)?|/root", normal):
        return "the home directory" if normal == "~" else "a home directory"
    if SYSTEM.match(normal) and not normal.startswith(("/var/tmp/", "/dev/shm/")):  # noqa: S108 -- only compared
        return "a system directory"
    if re.fullmatch(r"\.\.(?:/\.\.)*", normal):
        return "a parent directory"
    if normal in (".", "*", "**", ".*"):
        return "the working directory"
    return "a pattern of paths" if word.pattern else "a path"


def _rm(judge: _Judge, call: _Call) -> None:
    recursive = call.has("-r", "-R") or call.long("--recursive", 4)
    verb = "rm -r" if recursive else {"unlink": "rm", "rmdir": "rmdir"}.get(call.name, call.name)
    verb = "rm" if call.name in ("del", "erase", "rm", "unlink", "trash") and not recursive else verb
    verb = "rm -r" if call.name in ("rimraf", "rd", "deltree") or call.has("/s", "/S") else verb
    for word in call.operands():
        judge.note(f"{verb} of {place_of(word)}")
    if call.fed:
        judge.note(f"{verb} of what another command lists")


def _chmod(judge: _Judge, call: _Call) -> None:
    deep = call.has("-R") or call.long("--recursive", 5)
    operands = call.operands()
    mode = next(
        (w.text for w in call.args if re.fullmatch(r"[0-7]{1,5}|[ugoa]*[-+=][rwxXstugo,=+-]*", w.text)), ""
    )
    if re.fullmatch(r"[0-7]*[2367]", mode) or re.search(r"(?:^|,)(?:[ug]*[oa][ugoa]*)?[+=][rxXst]*w", mode):
        judge.note("chmod -R 777" if deep else "chmod 777")
    elif deep and operands and operands[0].computed:
        judge.note("chmod -R to a computed mode")
    if re.fullmatch(r"0*[2467][0-7]{3}", mode) or re.search(r"[+=][rwxXt]*s", mode):
        judge.note("chmod setuid")
    _deep_owner(judge, call, deep=deep)


def _chown(judge: _Judge, call: _Call) -> None:
    _deep_owner(judge, call, deep=call.has("-R") or call.long("--recursive", 5))


def _deep_owner(judge: _Judge, call: _Call, *, deep: bool) -> None:
    for word in call.operands()[1:] if deep else []:
        place = place_of(word)
        if place not in ("a path", "a pattern of paths", "the working directory"):
            judge.note(f"{call.name} -R of {place}")


def _dd(judge: _Judge, call: _Call) -> None:
    for word in call.args:
        if word.text.startswith("of="):
            target = word.text[3:]
            if DEVICE.match(target) or word.computed:
                judge.note("dd to a device" if DEVICE.match(target) else "dd to a computed place")
            elif SYSTEM.match(target) and not target.startswith("/dev/"):
                judge.note("write to a system file")


def _writes(judge: _Judge, call: _Call) -> None:
    """Judge programs whose operands are files that they write: tee, cp, mv, install, ln, truncate, sed -i."""
    operands = call.operands()
    if call.name == "sed":
        if any(re.match(r"-[a-zA-Z]*i|--in-place", text) for text in call.texts) and any(
            SYSTEM.match(word.text) for word in operands
        ):
            judge.note("write to a system file")
        return
    if call.name == "truncate":
        judge.note("truncate of a file")
        return
    if call.name == "mv":
        for word in operands[:-1]:
            if place_of(word) in ("/", "the home directory", "a home directory", "a system directory"):
                judge.note(f"mv of {place_of(word)}")
        if operands and operands[-1].text == "/dev/null":
            judge.note("mv to /dev/null")
    if call.name in ("cp", "cat") and operands and operands[0].text in ("/dev/null", "/dev/zero"):
        judge.note("empties a file")
    targets = operands if call.name == "tee" else operands[-1:]
    for word in targets:
        if DEVICE.match(word.text):
            judge.note("write to a device")
        elif SYSTEM.match(word.text) and not word.text.startswith("/dev/"):
            judge.note("write to a system file")


def _find(judge: _Judge, call: _Call) -> None:
    if call.name == "find" and "-delete" in call.texts:
        judge.note("find -delete")
    runs = (
        {"-exec", "-execdir", "-ok", "-okdir"}
        if call.name == "find"
        else {"-x", "-X", "--exec", "--exec-batch"}
    )
    index = 0
    while index < len(call.args):
        if call.args[index].text in runs:
            end = index + 1
            while end < len(call.args) and call.args[end].text not in (";", "+"):
                end += 1
            judge.command(call.args[index + 1 : end], call.command, call.left, fed=True, depth=call.depth + 1)
            index = end
        index += 1


def _git(judge: _Judge, call: _Call) -> None:
    args, index = call.args, 0
    while index < len(args) and args[index].text.startswith("-"):
        if args[index].text in ("-c", "--config-env") and re.match(
            r"(?i)alias\.|core\.(?:pager|editor|sshcommand|fsmonitor|hookspath)",
            "".join(call.texts[index + 1 : index + 2]),
        ):
            judge.note("not understood: a command in git's settings")
        index += 2 if args[index].text in ("-C", "-c", "--git-dir", "--work-tree", "--namespace") else 1
    if index >= len(args):
        return
    sub = args[index]
    rest = _Call("git", args[index + 1 :], call.command, call.left, call.fed, call.depth)
    if sub.computed:
        judge.note(COMPUTED_NAME)
    operands = rest.operands()
    first = operands[0].text if operands else ""
    match sub.text:
        case "push":
            if (
                rest.has("-f", "--force", "--mirror", "--force-with-lease")
                or rest.long("--force", 4)
                or any(word.text.startswith("+") for word in operands)
            ):
                judge.note("git push --force")
            if rest.has("-d", "--delete", "--prune") or any(word.text.startswith(":") for word in operands):
                judge.note("git push --delete")
        case "reset" if rest.long("--hard", 4) or rest.long("--merge", 4):
            judge.note("git reset --hard")
        case "clean" if rest.has("-f") or rest.long("--force", 3):
            judge.note("git clean -f")
        case "checkout" if "--" in rest.texts or rest.has("-f", "--force") or first in (".", "./"):
            judge.note("git checkout over changes")
        case "restore" if not (rest.has("--staged", "-S") and not rest.has("--worktree", "-W")):
            judge.note("git restore over changes")
        case "switch" if rest.has("-f", "--force", "--discard-changes"):
            judge.note("git switch over changes")
        case "branch" if rest.has("-D") or (rest.has("-d", "--delete") and rest.has("-f", "--force")):
            judge.note("git branch -D")
        case "stash" if first in ("drop", "clear"):
            judge.note(f"git stash {first}")
        case "filter-branch" | "filter-repo":
            judge.note("git rewrites history")
        case "reflog" if first in ("expire", "delete"):
            judge.note("git reflog expire")
        case "update-ref" if rest.has("-d") or rest.has("--stdin"):
            judge.note("git update-ref -d")
        case "tag" if rest.has("-d", "--delete"):
            judge.note("git tag -d")
        case "rm" if not rest.has("--cached", "-n"):
            judge.note("git rm")
        case "worktree" if first == "remove" and rest.has("-f", "--force"):
            judge.note("git worktree remove --force")
        case "gc" | "prune" if sub.text == "prune" or rest.has("--prune=now", "--prune=all"):
            judge.note("git prune")
        case "submodule" if first == "foreach":
            judge.code(operands[1:], rest)
        case "bisect" if first == "run":
            judge.command(operands[1:], call.command, call.left, fed=call.fed, depth=call.depth + 1)


def _words(judge: _Judge, call: _Call) -> None:
    """Judge programs that are told what to do by a word such as `delete`."""
    operands = [word.text.lower() for word in call.operands()]
    if call.name in CONTAINERS and {"exec", "run"} & set(operands):
        return  # what follows is another program's, and judged as that
    told = "\n".join(text.replace("\n", " ") for text in (*operands, *call.texts))
    for needed, finding in TOLD[call.name]:
        if all(re.search(f"^(?:{one})$", told, re.MULTILINE) for one in needed):
            judge.note(finding)
    first = next(iter(call.operands()), None)
    if first is not None and first.computed:
        judge.note(COMPUTED_NAME)


def _always(finding: str) -> Callable[[_Judge, _Call], None]:
    def judged(judge: _Judge, call: _Call) -> None:
        if not (len(call.args) == 1 and call.texts[0] in ("--help", "--version", "-h", "-V", "-l", "--list")):
            judge.note(finding)

    return judged


def _curl(judge: _Judge, call: _Call) -> None:
    texts = [text.upper() for text in call.texts]
    for place, text in enumerate(texts):
        method = text[2:] if text.startswith("-X") else ""
        if text in ("-X", "--REQUEST", "--METHOD"):
            method = "".join(texts[place + 1 : place + 2])
        elif text.startswith(("--REQUEST=", "--METHOD=")):
            method = text.partition("=")[2]
        if method.strip("'\"") == "DELETE" or (call.name in ("http", "https", "xh") and text == "DELETE"):
            judge.note("HTTP DELETE")
    for word in call.args:
        if SYSTEM.match(word.text) and not word.text.startswith("/dev/") and call.has("-o", "-O", "--output"):
            judge.note("write to a system file")


def _eval(judge: _Judge, call: _Call) -> None:
    if call.args:
        judge.code(call.args, call)


def _source(judge: _Judge, call: _Call) -> None:
    if call.args and call.args[0].feeds:
        judge.fetched(call.args[0].feeds)
    elif call.args and call.args[0].text in ("/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"):
        judge.input(call)


def _trap(judge: _Judge, call: _Call) -> None:
    if len(call.args) > 1:
        judge.code(call.args[:1], call)


def _alias(judge: _Judge, call: _Call) -> None:
    for word in call.args:
        if "=" in word.text:
            judge.code([Word(word.text.partition("=")[2], computed=word.computed)], call)


def _su(judge: _Judge, call: _Call) -> None:
    for place, text in enumerate(call.texts):
        if text in ("-c", "--command"):
            judge.code(call.args[place + 1 : place + 2], call)
            return
        if text.startswith("--command="):
            judge.code([Word(text[10:], computed=call.args[place].computed)], call)
            return
    judge.input(call)


def _awk(judge: _Judge, call: _Call) -> None:
    if any(re.search(r"system\s*\(|\|\s*getline|\|\s*\"|\|&", text) for text in call.texts):
        judge.note("not understood: code given to awk")


def _tar(judge: _Judge, call: _Call) -> None:
    if call.long("--remove-files", 9):
        judge.note("rm of what it packed")
    if any(
        text.startswith(("--checkpoint-action", "--to-command", "--use-compress-program"))
        for text in call.texts
    ):
        judge.note("not understood: a command given to tar")


def _rsync(judge: _Judge, call: _Call) -> None:
    if call.long("--delete", 5) or any(
        text.startswith(("--delete-", "--remove-source")) for text in call.texts
    ):
        judge.note("rsync --delete")


def _kill(judge: _Judge, call: _Call) -> None:
    if "-1" in call.texts[1:] or call.texts[-1:] == ["-1"]:
        judge.note("kill of every process")


def _mongo(judge: _Judge, call: _Call) -> None:
    text = " ".join(call.texts)
    if re.search(r"(?i)\bdrop|delete(?:one|many)|remove\s*\(|\$out\b", text):
        judge.note("mongo drop or delete")


def _redis(judge: _Judge, call: _Call) -> None:
    if {"flushall", "flushdb", "shutdown", "del", "unlink"} & {text.lower() for text in call.texts}:
        judge.note("redis flush or delete")


Told = tuple[tuple[tuple[str, ...], str], ...]
_KUBECTL: Told = (
    (("delete",), "kubectl delete"),
    (("drain",), "kubectl drain"),
    (("replace", "--force(?:=true)?"), "kubectl replace --force"),
    (("scale", "--replicas=0"), "kubectl scale to 0"),
    (("apply", "--prune(?:=true)?"), "kubectl apply --prune"),
)
_TERRAFORM: Told = (
    (("destroy",), "terraform destroy"),
    (("apply", "--?destroy(?:=true)?"), "terraform destroy"),
    (("apply", "--?auto-approve(?:=true)?"), "terraform apply without a question"),
    (("state", "rm"), "terraform state rm"),
    (("workspace", "delete"), "terraform workspace delete"),
)
_PACKAGES: Told = ((("remove|purge|autoremove|erase|-r[a-z]*|-R[a-z]*",), "removes packages"),)
_DOCKER: Told = (
    (("prune",), "docker prune"),
    (("rm|rmi|remove|kill",), "docker rm"),
    (("down", "-v|--volumes|--rmi.*"), "docker volumes removed"),
    (("swarm", "leave"), "docker swarm leave"),
)
_CLOUD = "(?:delete|terminate|remove|purge|destroy|deregister|disable|detach|revoke|release)(?:-.*)?"
TOLD: dict[str, Told] = {
    "kubectl": _KUBECTL, "oc": _KUBECTL, "k": _KUBECTL,
    "terraform": _TERRAFORM, "tofu": _TERRAFORM, "terragrunt": (*_TERRAFORM, (("destroy-all",), "terraform destroy")),
    "pulumi": ((("destroy",), "pulumi destroy"), (("stack", "rm"), "pulumi stack rm")),
    "cdk": ((("destroy",), "cdk destroy"),),
    "helm": ((("uninstall|delete",), "helm uninstall"),),
    "docker": _DOCKER, "podman": _DOCKER, "nerdctl": _DOCKER, "docker-compose": _DOCKER,
    "aws": (
        ((_CLOUD,), "aws delete"), (("s3", "rm|rb"), "aws s3 rm"), (("s3", "sync", "--delete"), "aws s3 rm"),
    ),
    "gcloud": (((_CLOUD,), "gcloud delete"),), "gsutil": ((("rm|rb",), "gsutil rm"), (("rsync", "-d"), "gsutil rm")),
    "az": (((_CLOUD,), "az delete"),), "doctl": (((_CLOUD,), "doctl delete"),),
    "gh": ((("delete",), "gh delete"), (("api", "delete|-xdelete|-XDELETE|--method=delete"), "HTTP DELETE")),
    "heroku": (((r".*(?:destroy|reset)",), "heroku destroy"),),
    "fly": ((("destroy",), "fly destroy"),), "flyctl": ((("destroy",), "fly destroy"),),
    "vercel": ((("rm|remove",), "vercel rm"),), "npm": ((("unpublish",), "npm unpublish"),),
    "zfs": ((("destroy|rollback",), "zfs destroy"),), "zpool": ((("destroy|labelclear",), "zpool destroy"),),
    "cryptsetup": ((("luksformat|erase|luksErase|luksremovekey|luksKillSlot",), "formats or partitions a disk"),),
    "nvme": ((("format|sanitize",), "formats or partitions a disk"),),
    "diskutil": ((("erase.*|partitiondisk|zerodisk|secureerase",), "formats or partitions a disk"),),
    "mdadm": ((("--zero-superblock|--stop",), "formats or partitions a disk"),),
    "hdparm": ((("--security-erase.*",), "formats or partitions a disk"),),
    "systemctl": (
        (("stop|disable|mask|kill",), "stops a service"), (("poweroff|reboot|halt|kexec|rescue",), "shuts the machine down"),
    ),
    "service": ((("stop",), "stops a service"),), "launchctl": ((("unload|bootout|remove",), "stops a service"),),
    "init": ((("[06]",), "shuts the machine down"),), "telinit": ((("[06]",), "shuts the machine down"),),
    "crontab": ((("-r",), "crontab -r"),),
    "iptables": ((("-f|-F|--flush",), "drops the firewall"),), "ip6tables": ((("-f|-F|--flush",), "drops the firewall"),),
    "nft": ((("flush|delete",), "drops the firewall"),), "ufw": ((("disable|reset",), "drops the firewall"),),
    "setenforce": ((("0|permissive",), "drops a protection of the machine"),),
    "apt": _PACKAGES, "apt-get": _PACKAGES, "yum": _PACKAGES, "dnf": _PACKAGES, "zypper": _PACKAGES,
    "apk": ((("del",), "removes packages"),), "pacman": ((("-[Rr].*",), "removes packages"),),
    "dpkg": ((("-r|-P|-p|--remove|--purge",), "removes packages"),), "rpm": ((("-e|--erase",), "removes packages"),),
    "rabbitmqctl": (((r"(?:delete|purge|reset|force_reset).*",), "rabbitmq delete"),),
    "kafka-topics": ((("--delete",), "kafka delete"),), "kafka-topics.sh": ((("--delete",), "kafka delete"),),
    "etcdctl": ((("del|rm",), "etcd delete"),), "consul": ((("delete|leave",), "consul delete"),),
    "vault": ((("delete|destroy|disable|revoke",), "vault delete"),),
    "rclone": ((("delete|purge|rmdirs|sync|cleanup",), "rclone delete"),), "mc": ((("rm|rb",), "mc rm"),),
    "restic": ((("forget|prune",), "removes backups"),), "borg": ((("delete|prune",), "removes backups"),),
    "reg": ((("delete",), "deletes of the registry"),), "vssadmin": ((("delete",), "removes backups"),),
    "dscl": ((("-delete",), "removes a user"),), "passwd": ((("-d|-l|--delete",), "changes a password"),),
}  # fmt: skip
HANDLERS: dict[str, Callable[[_Judge, _Call], None]] = {
    **dict.fromkeys(("rm", "unlink", "rmdir", "del", "erase", "rd", "deltree", "rimraf", "grm", "trash"), _rm),
    **dict.fromkeys(("remove-item", "ri"), _always("rm of a path")),
    **dict.fromkeys(("shred", "srm", "wipe"), _always("shred of a file")),
    **dict.fromkeys(("mkfs", "mke2fs", "mkswap", "wipefs", "fdisk", "sfdisk", "cfdisk", "gdisk", "sgdisk", "parted",
                     "blkdiscard", "lvremove", "vgremove", "pvremove", "format", "mkdosfs", "mkntfs"),
                    _always("formats or partitions a disk")),
    **dict.fromkeys(("shutdown", "reboot", "halt", "poweroff"), _always("shuts the machine down")),
    **dict.fromkeys(("userdel", "deluser", "groupdel", "delgroup"), _always("removes a user")),
    **dict.fromkeys(("chpasswd", "visudo", "vipw"), _always("changes a password")),
    **dict.fromkeys(("dropdb", "dropuser"), _always("DROP DATABASE")),
    **dict.fromkeys(("killall", "killall5"), _always("kill of processes by name")),
    **dict.fromkeys(("curl", "wget", "http", "https", "xh"), _curl),
    **dict.fromkeys(("tee", "cp", "mv", "install", "ln", "truncate", "sed", "gsed", "cat"), _writes),
    **dict.fromkeys(("awk", "gawk", "mawk", "nawk"), _awk),
    **dict.fromkeys(("find", "gfind", "fd", "fdfind"), _find),
    **dict.fromkeys(("mongo", "mongosh"), _mongo),
    **dict.fromkeys(("source", "."), _source),
    **dict.fromkeys(("su", "runuser"), _su),
    **dict.fromkeys(TOLD, _words),
    "chmod": _chmod, "chown": _chown, "chgrp": _chown, "dd": _dd, "git": _git, "eval": _eval, "trap": _trap,
    "alias": _alias, "tar": _tar, "rsync": _rsync, "kill": _kill, "redis-cli": _redis,
}  # fmt: skip
STARTS = frozenset(
    {"rm", "rmdir", "unlink", "shred", "dd", "rimraf", "sudo", "env", "find", "xargs", "chmod", "chown", "truncate",
     "mkfs", "wipefs", "git", "kubectl", "terraform", "dropdb", "redis-cli", "mongosh", "mongo", "shutdown", "reboot",
     "curl", "wget", "tee", "eval", "timeout", "nohup", "nice"}
    | SHELLS | SQL_CLIENTS.keys() | (INTERPRETERS.keys() - {"cmd", "node"}) | {"python3"}
)  # fmt: skip
"""Names by which a program that another one is told to run is recognised."""
