"""What all commands share: the home, running async work, and errors in the words of the command line."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import IO, Any, TypeVar

import click

from signoff import __version__
from signoff.domain.errors import InvalidRequest, PolicyInvalid, SignoffError

T = TypeVar("T")


class Failure(click.ClickException):
    """An expected failure: one message, no traceback."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print `signoff: message` to stderr."""
        click.echo(f"signoff: {self.message}", file=file or sys.stderr, err=file is None)


class BadInput(Failure):
    """Input that cannot be taken."""

    exit_code = 2


class Commands(click.Group):
    """A group of commands that translates errors."""

    def __init__(self, name: str, *, version: bool = False, **attributes: Any) -> None:
        super().__init__(name, **attributes)
        if version:
            option = click.version_option(__version__, message="signoff %(version)s")
            option(self)

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

    from signoff.app import only_error

    try:
        return anyio.run(functools.partial(work, *given))
    except BaseExceptionGroup as group:
        raise only_error(group) from None
