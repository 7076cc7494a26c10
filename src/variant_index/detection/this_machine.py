"""What this machine can run, and what follows when its GPUs cannot be examined.

A machine whose driver is there but does not answer is an error and never "no GPU": silently
installing CPU builds on a GPU machine is what users notice last and resent most.

Nothing is kept from one run to the next: a look takes some 50 ms, and a stored answer would be wrong
after a driver upgrade, in a container with other GPUs, or when a GPU is taken away.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Literal

from torch_variant_provider.presence import driver_present
from variant_index.detection.child import examine_gpus
from variant_index.detection.cpu import detect_cpu
from variant_index.detection.failure import DetectionError
from variant_index.detection.merged import merged, taken_over, without
from variant_index.detection.tpu import detect_tpu
from variant_index.detection.trusted import ask_trusted, trusted_providers
from variant_index.errors import printable
from variant_index.model.machine import MachineProfile
from variant_index.providers.settings import ProviderSettings

__all__ = ["OnFailure", "detect_machine", "examine_machine", "settled"]

OnFailure = Literal["error", "cpu"]
"""What to do when the GPUs cannot be examined: give up, or choose as for a machine without GPU."""

_REMEDY = (
    "repair the driver, or say what to assume: VARIANT_INDEX_ON_DETECTION_FAILURE=cpu for builds without "
    "GPU, or VARIANT_INDEX_MACHINE=cuda12.8-sm90"
)

Warn = Callable[[str], None]

_PROVIDERS = ProviderSettings()


def detect_machine(
    timeout: float = 20.0,
    warn: Warn | None = None,
    on_failure: OnFailure | None = None,
    providers: ProviderSettings = _PROVIDERS,
) -> MachineProfile:
    """Return what this machine supports: GPUs, processor, TPU, and what trusted providers say.

    The environment variables that force facts work as in the provider.

    Args:
        timeout: seconds that the GPU drivers have to answer.
        warn: takes each warning, one line; None writes them to standard error.
        on_failure: what to do when the GPUs cannot be examined; None is `error` where a driver is
            evidently present, else `cpu` with a warning. A trusted provider that fails is an error only
            with `error`.
        providers: how to deal with third-party providers.

    Raises:
        ProviderError: the list of trusted providers is damaged.
        DetectionError: a crash, no answer in time, or a driver that did not say what it supports.
    """
    return settled(examine_machine(timeout, warn, on_failure, providers), warn, on_failure)


def examine_machine(
    timeout: float = 20.0,
    warn: Warn | None = None,
    on_failure: OnFailure | None = None,
    providers: ProviderSettings = _PROVIDERS,
) -> MachineProfile:
    """Return what is known of this machine, `unanswered` telling which drivers did not answer.

    Arguments and errors are those of `detect_machine`, but a driver that does not answer is none.
    """
    warn = warn or _to_stderr
    if not (asked := trusted_providers(providers)):
        return _examine(timeout, warn, on_failure)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as beside:
        answers = beside.submit(ask_trusted, asked, providers.timeout, on_failure)
        own = _examine(timeout, warn, on_failure)
        trusted = answers.result()
    for note in (note for profile in trusted for note in profile.notes):
        warn(note)
    theirs = {namespace for provider in asked for namespace in provider.namespaces}
    return merged(taken_over(own, theirs), *trusted)


def _examine(timeout: float, warn: Warn, on_failure: OnFailure | None) -> MachineProfile:
    others: list[MachineProfile] = []

    def meanwhile() -> None:
        others.extend((detect_cpu(), detect_tpu()))

    try:
        gpus = examine_gpus(timeout, warn, meanwhile)
    except DetectionError as error:
        gpus = _without_gpus(str(error), warn, on_failure)
    for profile in others:
        for note in profile.notes:
            warn(note)
    return merged(gpus, *others)


def settled(profile: MachineProfile, warn: Warn | None, on_failure: OnFailure | None) -> MachineProfile:
    """Return a profile to choose by: one without the drivers that did not answer, if that is allowed.

    Raises:
        DetectionError: a driver did not answer, and `on_failure` is not `cpu`.
    """
    if not profile.unanswered:
        return profile
    reason = next(iter(profile.unanswered.values()))
    if on_failure != "cpu":
        raise DetectionError(
            f"GPU not detected: {printable(reason)}; a GPU driver is present but did not say what it "
            f"supports; {_REMEDY}"
        )
    (warn or _to_stderr)(f"GPU not detected: {printable(reason)}; builds without GPU are chosen")
    return without(profile, profile.unanswered)


def _without_gpus(reason: str, warn: Warn, on_failure: OnFailure | None) -> MachineProfile:
    if on_failure == "error" or (on_failure is None and driver_present()):
        raise DetectionError(f"GPU not detected: {reason}; {_REMEDY}")
    remark = f"GPU not detected: {reason}; builds without GPU are chosen"
    warn(remark)
    return MachineProfile(properties={}, feature_order={}, notes=[remark])


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{printable(line)}\n")
