"""What all commands share: the home, running async work, and errors in the words of the command line."""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

import click

from signoff import __version__
from signoff.domain.errors import InvalidRequest, PolicyInvalid, SignoffError

T = TypeVar("T")

_ANY_LENGTH = 1_000


class Failure(click.ClickException):
    """An expected failure: one message, no traceback."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print `signoff: message` to stderr."""
        click.echo(f"signoff: {self.message}", file=file or sys.stderr, err=file is None)


class BadInput(Failure):
    """Input that cannot be taken."""

    exit_code = 2


class Commands(click.Group):
    """A group of commands that translates errors, and imports a command's module when the command is asked for."""

    def __init__(
        self,
        name: str,
        *,
        version: bool = False,
        found_in: Mapping[str, str] | None = None,
        help: str | None = None,
    ) -> None:
        super().__init__(name, help=help)
        self._found_in = dict(found_in or {})
        if version:
            option = click.version_option(__version__, message="signoff %(version)s")
            option(self)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which somebody new needs them."""
        return [*self.commands, *self._found_in]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by name."""
        module = self._found_in.get(cmd_name)
        if module is None:
            return super().get_command(ctx, cmd_name)
        command = getattr(importlib.import_module(module), cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)  # noqa: S101 - the table in `cli/__init__.py` is ours
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with the first sentence of each, whole."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, one.get_short_help_str(_ANY_LENGTH))
                    for name, one in found
                    if one is not None and not one.hidden
                ]
            )

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what signoff refuses, and what the system refuses it, becomes a message."""
        try:
            return super().invoke(ctx)
        except (InvalidRequest, PolicyInvalid) as error:
            raise BadInput(error.message) from None
        except SignoffError as error:
            raise Failure(error.message) from None
        except BrokenPipeError:
            raise  # the reader of our output has enough; click ends quietly
        except OSError as error:
            what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            raise Failure(what) from None


def with_home(command: Callable[..., T]) -> Callable[..., T]:
    """Give a command `--home`."""
    return click.option(
        "--home",
        type=click.Path(path_type=Path, file_okay=False),
        help="The directory that everything lies in. Default: $SIGNOFF_HOME, else your user data directory.",
    )(command)


def examples(*lines: str) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Put examples at the end of a command's help, one a line, as they are typed."""

    def add(command: Callable[..., T]) -> Callable[..., T]:
        text = inspect.getdoc(command) or ""
        command.__doc__ = text + "\n\n\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)
        return command

    return add


def run(work: Callable[..., Coroutine[Any, Any, T]], /, *given: Any) -> T:
    """Run async work to its end; an error that is alone in its task groups comes out as itself."""
    import anyio

    try:
        return anyio.run(functools.partial(work, *given))
    except BaseExceptionGroup as group:
        # Not before: it brings the whole house, and `signoff mcp` answers first.
        from signoff.app import only_error

        raise only_error(group) from None
