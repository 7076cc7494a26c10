"""Requirements files that would lead an installer past the shim are refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from variant_index.clients.pip.requirements import read_requirements
from variant_index.clients.takeover import ClientError

__all__ = ["refuse_sources_in"]


def refuse_sources_in(files: Iterable[str], environment: Mapping[str, str]) -> None:
    """Read requirements files, and those they include, and refuse sources in them.

    pip gets copies without such lines, but other tools write the names of their inputs into what they make.

    Args:
        files: their paths; those that are missing are the installer's to report.
        environment: for `${NAME}` in the files.

    Raises:
        ClientError: a file names a source.
        RequirementsError: a file cannot be read.
    """
    found = read_requirements(files, environment)
    if found.sources:
        raise ClientError(
            f"--{found.sources[0].name} in a requirements file would lead the installer past the shim;"
            " put it on the command line or into the installer's configuration"
        )
