"""From the kernel driver's number to the CUDA version its user-mode driver supports.

Source: NVIDIA's CUDA Toolkit release notes, "CUDA Toolkit and Corresponding Driver Versions". The
largest branch that is not above the driver's major number decides, on Linux and Windows alike.
"""

from __future__ import annotations

from torch_variant_provider.versions import Version, parse_version

__all__ = ["OLDEST_BRANCH", "cuda_of_driver"]

_BRANCHES: tuple[tuple[int, Version], ...] = (
    (615, (13, 4)),
    (610, (13, 3)),
    (595, (13, 2)),
    (590, (13, 1)),
    (580, (13, 0)),
    (575, (12, 9)),
    (570, (12, 8)),
    (565, (12, 7)),
    (560, (12, 6)),
    (555, (12, 5)),
    (550, (12, 4)),
    (545, (12, 3)),
    (535, (12, 2)),
    (530, (12, 1)),
    (525, (12, 0)),
    (520, (11, 8)),
    (515, (11, 7)),
    (510, (11, 6)),
    (495, (11, 5)),
    (470, (11, 4)),
    (465, (11, 3)),
    (460, (11, 2)),
    (455, (11, 1)),
    (450, (11, 0)),
    (440, (10, 2)),
    (418, (10, 1)),
    (410, (10, 0)),
    (396, (9, 2)),
    (390, (9, 1)),
    (384, (9, 0)),
    (367, (8, 0)),
    (352, (7, 5)),
    (346, (7, 0)),
)

# Drivers below the table are older than any wheel; 6.5 is the newest that one of them supports.
_OLDER: Version = (6, 5)

OLDEST_BRANCH = 100
"""Driver numbers have at least three digits; CUDA versions never do."""


def cuda_of_driver(driver: str) -> Version | None:
    """Return the CUDA version that a kernel driver such as `570.133.20` supports, at least.

    A driver newer than the table gets the last entry. Not for Tegra, whose numbers mean something else.

    Returns:
        Major and minor; None when the text is not a driver number.
    """
    version = parse_version(driver)
    if version is None or version[0] < OLDEST_BRANCH:
        return None
    for branch, cuda in _BRANCHES:
        if version[0] >= branch:
            return cuda
    return _OLDER
