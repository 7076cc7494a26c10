"""The options that say which machine to choose for, and what to do when this one cannot be examined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from variant_index.detection.settings import MACHINE, ON_FAILURE, TIMEOUT, DetectionSettings

__all__ = ["detection_options"]

_F = TypeVar("_F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--machine",
        envvar=MACHINE,
        show_envvar=True,
        metavar="FILE|NAME",
        help="Choose for another machine: a file that `variant-index machine --save` wrote, or a name such "
        "as cpu, cuda12.8-sm90 or rocm6.4-gfx942.",
    ),
    click.option(
        "--detection-timeout",
        envvar=TIMEOUT,
        show_envvar=True,
        type=click.FloatRange(min=0.1, max=3600),
        default=DetectionSettings.timeout,
        show_default=True,
        metavar="SECONDS",
        help="How long this machine's GPU drivers may take to answer.",
    ),
    click.option(
        "--on-detection-failure",
        envvar=ON_FAILURE,
        show_envvar=True,
        type=click.Choice(["error", "cpu"]),
        help="When the GPUs cannot be examined: give up, or take builds without GPU.  [default: error where "
        "a GPU driver is present]",
    ),
)


def detection_options(command: _F) -> _F:
    """Add the options to a command: `machine`, `detection_timeout` and `on_detection_failure`.

    Together they are the fields of `DetectionSettings`, in their order.
    """
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
