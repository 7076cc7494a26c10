"""What pip itself makes of requirements files: a child process that answers one question a line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

_PROGRAM = """if True:
    import json, logging, sys
    from pip._internal.index.collector import LinkCollector
    from pip._internal.index.package_finder import PackageFinder
    from pip._internal.models.search_scope import SearchScope
    from pip._internal.models.selection_prefs import SelectionPreferences
    from pip._internal.network.session import PipSession
    from pip._internal.req.req_file import parse_requirements
    logging.disable(logging.CRITICAL)

    def answer(files, indexes, links):
        session = PipSession()
        scope = SearchScope.create(find_links=links, index_urls=indexes, no_index=False)
        finder = PackageFinder.create(
            link_collector=LinkCollector(session, scope),
            selection_prefs=SelectionPreferences(allow_yanked=False),
        )
        lines = []
        for file, constraint in files:
            for found in parse_requirements(file, session, finder, None, constraint):
                where = found.line_source.split(" of ")[0] if found.line_source else None
                lines.append([found.requirement, where, found.constraint, found.options, found.is_editable])
        return {
            "indexes": finder.index_urls,
            "links": finder.find_links,
            "no_index": finder.search_scope.no_index,
            "hosts": [":".join(str(part) for part in pair if part) for pair in session.pip_trusted_origins],
            "lines": lines,
        }

    for line in sys.stdin:
        try:
            result = answer(*json.loads(line))
        except Exception as error:
            result = {"error": type(error).__name__ + ": " + str(error)}
        print(json.dumps(result), flush=True)
"""


@dataclass(frozen=True)
class Scope:
    """What pip would use after reading files; `lines` are the requirements with their line numbers."""

    indexes: list[str]
    links: list[str]
    no_index: bool
    hosts: list[str]
    lines: list[list[object]]


class PipReader:
    """A running pip; a context manager."""

    def __enter__(self) -> PipReader:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def read(
        self, files: Sequence[tuple[str, bool]], indexes: Sequence[str], links: Sequence[str] = ()
    ) -> Scope | str:
        """Return what pip makes of files (and whether each is a constraints file), or its error."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([list(files), list(indexes), list(links)]) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return answer["error"] if "error" in answer else Scope(**answer)
