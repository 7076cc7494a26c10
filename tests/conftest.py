"""What holds for all tests: the settings files of whoever runs them do not count."""

from __future__ import annotations

import os

os.environ["VARIANT_INDEX_CONFIG"] = "off"
