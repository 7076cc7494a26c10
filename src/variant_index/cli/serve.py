"""`variant-index serve`: serve a static index on loopback, and take uploads into it."""

from __future__ import annotations

import os
import threading
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from variant_index.cli.messages import say
from variant_index.cli.published import base_url_option, upload_time, verify_option

if TYPE_CHECKING:
    from variant_index.provenance.policy import Publisher
    from variant_index.publish.serve import IndexServer
    from variant_index.upload.accept import Uploads

__all__ = ["command"]

_EPILOG = """\b
Examples:
  variant-index serve site
  variant-index serve site --port 0
  pip install torch --index-url http://127.0.0.1:8000/simple/
  variant-index serve site --upload --token-file token.txt
  twine upload --repository-url http://127.0.0.1:8000/legacy/ -u __token__ dist/*
  uv publish --publish-url http://127.0.0.1:8000/legacy/ dist/*
"""


@click.command(name="serve", epilog=_EPILOG, no_args_is_help=True)
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="The port on 127.0.0.1; 0 takes any free one.",
)
@click.option(
    "--upload", is_flag=True, help="Take uploads from twine and uv publish; OUT is made when missing."
)
@click.option(
    "--token-file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file with the token that uploads need, readable by you alone; default: the environment "
    "variable VARIANT_INDEX_UPLOAD_TOKEN.",
)
@click.option(
    "--max-upload",
    metavar="MIB",
    default=4096,
    show_default=True,
    type=click.IntRange(1, 1 << 20),
    help="How large an uploaded file may be.",
)
@base_url_option
@verify_option
def command(
    *,
    out: Path,
    port: int,
    upload: bool,
    token_file: Path | None,
    max_upload: int,
    base_url: str | None,
    policy: tuple[Publisher, ...] | None,
) -> None:
    """Serve the index that `variant-index build` wrote to OUT, until Ctrl-C or SIGTERM.

    The first line on stdout is the index URL, and with --upload the second is the upload URL. It listens
    on 127.0.0.1 only; to serve others, put OUT on any static web host, and an HTTPS proxy before uploads.

    An uploaded wheel is checked and added as variant-index add does it: what check calls an error is
    refused, the client is told why, and a published file name never gets other bytes.
    """
    for option, value in (
        ("--token-file", token_file),
        ("--base-url", base_url),
        ("--verify-provenance", policy),
    ):
        if value is not None and not upload:
            raise click.UsageError(f"{option} goes with --upload")
    from variant_index.cli.ending_signals import ending_signals

    with ending_signals() as wait_for_end, ExitStack() as stack:
        if upload:
            uploads = _uploads(out, max_upload, base_url, policy)
            server: IndexServer = _server(stack, out, port, token_file, uploads)
        else:
            server = _plain(stack, out, port)
        threading.Thread(target=server.serve_forever, args=[0.1], daemon=True).start()
        wait_for_end()
        server.shutdown()


def _plain(stack: ExitStack, out: Path, port: int) -> IndexServer:
    from variant_index.publish.serve import IndexServer

    server = stack.enter_context(IndexServer(out, port))
    click.echo(server.url)
    return server


def _uploads(
    out: Path, max_upload: int, base_url: str | None, policy: tuple[Publisher, ...] | None
) -> AbstractContextManager[Uploads]:
    from variant_index.publish.folder.store import FolderStore
    from variant_index.upload.accept import Check, open_uploads

    check: Check | None = None
    if policy is not None:
        from variant_index.provenance.verify import require_sigstore
        from variant_index.publish.attested import require_attested

        require_sigstore()
        check = partial(require_attested, policy=policy)
    return open_uploads(
        out, FolderStore(out), max_bytes=max_upload << 20, now=upload_time, check=check, base_url=base_url
    )


def _server(
    stack: ExitStack, out: Path, port: int, token_file: Path | None, uploads: AbstractContextManager[Uploads]
) -> IndexServer:
    from variant_index.upload.server import UploadServer
    from variant_index.upload.token import find_token

    token = find_token(token_file, os.environ)
    server = stack.enter_context(UploadServer(out, port, stack.enter_context(uploads), token, say))
    click.echo(server.url)
    click.echo(server.upload_url)
    return server
