"""The version of variantlib through which providers are asked, in an environment of its own.

Its loader (`variantlib.plugins.loader`) imports packaging and, before Python 3.11, typing_extensions; the
command line's other requirements are left out.
"""

from __future__ import annotations

from typing import Final

from variant_index.providers.pins import Pin, parse_pins

__all__ = ["loader_pins"]

_PINS: Final = """\
variantlib==0.2.2 --hash=sha256:ad4c75ac4bf92b623d7fcc55f0af3ec131012ea2ff8336332d08ac8ef88745ab \\
  --hash=sha256:ae41e4db1e2a7967c21332c1239011567fccf3231bd41f9f3674f7f343b370ee
packaging==26.3 --hash=sha256:94edc256424af38762eb31306eed28beb9f0efc50a8837492c9d6fd6004aed79 \\
  --hash=sha256:d7193f7c8e4e93f444fde0262bf90af30e16fa0ad0ad44cb553c87339b23cd1c
typing-extensions==4.16.0; python_version < "3.11" \\
  --hash=sha256:481caa481374e813c1b176ada14e97f1f67a4539ce9cfeb3f350d78d6370c2e8 \\
  --hash=sha256:dc983d19a509c94dba722ee6abd33940f7c05a89e243c47e907eb4db6f1a43e5
"""


def loader_pins() -> tuple[Pin, ...]:
    """Return what the loader's environment holds."""
    return parse_pins(_PINS, __name__)
