"""What holds for all tests: the settings, ignored signals and load of where they run do not count."""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

os.environ["VARIANT_INDEX_CONFIG"] = "off"

# Ignored in the background of a script and under nohup, and then by all programs that tests start. A
# handler that does nothing keeps these tests running too, and is not inherited.
for _name in ("SIGINT", "SIGQUIT", "SIGHUP"):
    _number = getattr(signal, _name, None)
    if _number is not None and signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda *_: None)

# No example may fail because the machine was busy.
settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
