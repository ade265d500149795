"""The witness: a process, a key and a directory of its own. It opens no home and no database."""

from __future__ import annotations

import logging
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from signoff.cli.commands import BadInput, examples

if TYPE_CHECKING:
    from collections.abc import Callable


HOME_VARIABLE = "SIGNOFF_WITNESS_HOME"
DEFAULT_LISTEN = "127.0.0.1:8718"


def _with_home(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--home",
        type=click.Path(path_type=Path, file_okay=False),
        help=f"The witness's own directory: its key and what it cosigned. Default: ${HOME_VARIABLE}, else your user"
        " data directory.",
    )(command)


@click.group("witness", invoke_without_command=True)
@click.option(
    "--key", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The witness's private key, instead of witness.key in its directory.",
)  # fmt: skip
@click.option(
    "--log-key", "log_keys", multiple=True, metavar="VKEY",
    help="A public key of a log to witness (a line of its keys/log.pub). May be repeated, also for one log's keys.",
)  # fmt: skip
@click.option(
    "--listen", default=DEFAULT_LISTEN, show_default=True, metavar="HOST:PORT", help="Put TLS in front."
)
@_with_home
@click.pass_context
@examples(
    "signoff witness keygen --name witness.example.com/w1",
    "signoff witness --log-key signoff.local/4f…+5a8c…+AX… --listen 127.0.0.1:8718",
)
def witness(
    ctx: click.Context, key: Path | None, log_keys: tuple[str, ...], listen: str, home: Path | None
) -> None:
    """Cosign the checkpoints of logs that only grow (C2SP tlog-witness), until Ctrl-C.

    Run it where the log's owner cannot reach it: its word is worth what its independence is.
    """
    if ctx.invoked_subcommand is not None:
        if key is not None or log_keys or listen != DEFAULT_LISTEN or home is not None:
            raise BadInput("Options of a command stand behind its name.")
        return
    if not log_keys:
        raise BadInput("Name the log to witness: --log-key VKEY, a line of its keys/log.pub.")
    from signoff.audit.checkpoint import parse_verifier_key
    from signoff.domain.clock import SystemClock
    from signoff.witness.state import KEY_FILE, Witness, load_signer, logs_of
    from signoff.witness.web import run_witness

    directory = _directory(home)
    signer = load_signer(key or directory / KEY_FILE)
    logs = logs_of(parse_verifier_key(text.strip()) for text in log_keys)
    made = Witness(directory, signer, logs, clock=SystemClock())
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="signoff: %(levelname)s %(name)s: %(message)s"
    )
    with _bound(listen) as listening:
        host, port = listening.getsockname()[:2]
        click.echo(
            f"The witness {signer.name} listens on http://{f'[{host}]' if ':' in host else host}:{port}/"
        )
        click.echo(f"  its key  {signer.key.text}")
        for origin, keys in logs.items():
            click.echo(f"  log      {origin}, {len(keys)} {'key' if len(keys) == 1 else 'keys'}")
        sys.stdout.flush()
        run_witness(made, listening)


@witness.command("keygen")
@click.option(
    "--name",
    required=True,
    help="The witness's name: a URL without a scheme, such as witness.example.com/w1.",
)
@_with_home
@examples("signoff witness keygen --name witness.example.com/w1 --home ./witness")
def keygen(name: str, home: Path | None) -> None:
    """Make a witness: its key, and the directory in which it remembers what it cosigned. Prints the public key.

    The directory belongs to the key for good: a witness that forgot what it cosigned could cosign a fork.
    """
    from signoff.witness.state import create_key

    directory = _directory(home)
    signer = create_key(directory, name)
    click.echo(
        f"Made a witness in {directory}. Its public key, for `anchors` and for `audit verify --witness`:",
        err=True,
    )
    click.echo(signer.key.text)


def _directory(home: Path | None) -> Path:
    if home is not None:
        return home.absolute()
    variable = os.environ.get(HOME_VARIABLE, "")
    if variable:
        return Path(variable).absolute()
    from platformdirs import user_data_dir

    return Path(user_data_dir("signoff-witness", appauthor=False))


def _bound(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    if not host or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise BadInput(f"--listen: write HOST:PORT, such as {DEFAULT_LISTEN}.")
    address = host.strip("[]")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, int(port)), family=family, backlog=128)
