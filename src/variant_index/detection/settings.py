"""Which machine to choose for, as the user says: this one, a file, or a name."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from variant_index.errors import InputError, printable
from variant_index.providers.settings import ProviderSettings

if TYPE_CHECKING:
    from variant_index.model.machine import MachineProfile

__all__ = ["DetectionSettings"]


@dataclass(frozen=True)
class DetectionSettings:
    """How to learn what the machine can run.

    Attributes:
        machine: a machine profile's file, or a name such as `cpu` or `cuda12.8-sm90`; None is this machine.
        timeout: seconds that this machine's drivers have to answer.
        on_failure: what to do when they do not, see `detect_machine`.
        providers: how to deal with third-party providers.
    """

    machine: str | None = None
    timeout: float = 20.0
    on_failure: Literal["error", "cpu"] | None = None
    providers: ProviderSettings = field(default_factory=ProviderSettings)

    @property
    def longest(self) -> float:
        """Seconds that examining this machine may take; drivers and providers are asked side by side."""
        return max(self.timeout, self.providers.timeout if self.providers.enabled else 0)

    def check(self) -> None:
        """Raise InputError for a machine that is neither a name nor an existing file; reads nothing."""
        if self.machine is None or _is_file(self.machine):
            return
        from variant_index.detection.named import forced_by_name, is_name

        if is_name(self.machine):
            forced_by_name(self.machine)
        else:
            raise InputError(
                f"{printable(self.machine)}: no such file, and no machine's name such as cpu, cuda12.8-sm90 "
                "or rocm6.4-gfx942"
            )

    def profile(
        self, warn: Callable[[str], None] | None = None, platforms: Sequence[str] = ()
    ) -> MachineProfile:
        """Return the machine's profile. A file goes before a name that is spelled alike.

        Args:
            warn: takes each warning, one line; None writes them to standard error.
            platforms: the installer's target platforms, where the user chose any. Where this machine is
                none of them, it is not asked: only what is certain of such a target is returned.

        Raises:
            InputError: the machine is neither a file that holds a profile nor a name.
            DetectionError: this machine, or the one in the file, could not be examined.
            ProviderError: the list of trusted providers is damaged.
        """
        if self.machine is None:
            if platforms and (other := _other_machine(platforms, warn)) is not None:
                return other
            from variant_index.detection.this_machine import detect_machine

            return detect_machine(self.timeout, warn, self.on_failure, self.providers)
        self.check()
        if not _is_file(self.machine):
            from variant_index.detection.named import named_machine

            return named_machine(self.machine)
        from variant_index.model.machine import parse_profile

        try:
            data = Path(self.machine).read_bytes()
        except OSError as error:
            raise InputError(f"{printable(self.machine)}: {error.strerror}") from None
        profile = parse_profile(data, self.machine)
        if profile.unanswered:
            from variant_index.detection.this_machine import settled

            return settled(profile, warn, self.on_failure)
        return profile


def _other_machine(platforms: Sequence[str], warn: Callable[[str], None] | None) -> MachineProfile | None:
    import platform

    from variant_index.detection.target import foreign_platform, target_machine

    if foreign_platform(platforms, f"{sys.platform}_{platform.machine()}") is None:
        return None
    profile, warnings = target_machine(platforms, os.environ)
    for warning in warnings:
        if warn is None:
            sys.stderr.write(f"{printable(warning, 400)}\n")
        else:
            warn(printable(warning, 400))
    return profile


def _is_file(path: str) -> bool:
    # Unlike Path.is_file it answers for names that are too long as well.
    return os.path.isfile(path)  # noqa: PTH113
