"""How each installer is set up and used: what its own manual says, behind the shim and without."""

from __future__ import annotations

import abc
import re

from tests.variant_index.clients.workshop import TOOLS, Workshop
from tests.variant_index.shim.family import NAME


def pyproject(shop: Workshop) -> str:
    return f"""\
[project]
name = "project"
version = "1"
requires-python = ">=3.10"
dependencies = ["{shop.wanted}"]
"""


class Recipe(abc.ABC):
    """One column of the table."""

    title: str
    lock_file: str | None = None
    needs: tuple[str, ...] = ()
    uv_on_path = True
    place = "project/.venv"

    @abc.abstractmethod
    def configure(self, shop: Workshop, *urls: str) -> None:
        """Name indexes the way the tool's manual says, in order of priority."""

    def prepare(self, shop: Workshop) -> None:
        """Make what the installation goes into, anew."""
        shop.make_environment(*self.needs)

    @abc.abstractmethod
    def install(self, shop: Workshop, driver: str = "12.9") -> int:
        """Install without a lock file, or one that is made for it."""

    def lock(self, shop: Workshop, driver: str = "12.9") -> int:
        """Write the lock file."""
        raise NotImplementedError

    def install_locked(self, shop: Workshop, driver: str = "12.9") -> int:
        """Install what the lock file says."""
        raise NotImplementedError

    def install_locked_plainly(self, shop: Workshop) -> int:
        """Install what the lock file says, without variant-index."""
        raise NotImplementedError


class Requirements(Recipe):
    """Tools whose lock file is a requirements file with hashes."""

    lock_file = "requirements.txt"

    def prepare(self, shop: Workshop) -> None:
        super().prepare(shop)
        shop.write("requirements.in", f"{shop.wanted}\n")


def pip_configuration(shop: Workshop, urls: tuple[str, ...]) -> None:
    first, *others = urls
    lines = ["[global]", f"index-url = {first}", *(f"extra-index-url = {url}" for url in others)]
    shop.write("~/.config/pip/pip.conf", "\n".join(lines) + "\n")


def uv_configuration(shop: Workshop, urls: tuple[str, ...]) -> None:
    *others, last = urls
    tables = [f'[[index]]\nurl = "{url}"\n' for url in others]
    tables.append(f'[[index]]\nurl = "{last}"\ndefault = true\n')
    shop.write("~/.config/uv/uv.toml", "".join(tables))


class Pip(Recipe):
    title = "pip 26.3"
    needs = tuple(TOOLS["pip"])

    def configure(self, shop: Workshop, *urls: str) -> None:
        pip_configuration(shop, urls)

    def install(self, shop: Workshop, driver: str = "12.9") -> int:
        return shop.behind("pip", "install", NAME, driver=driver)


class UvPip(Requirements):
    title = "uv pip 0.13.8"

    def configure(self, shop: Workshop, *urls: str) -> None:
        uv_configuration(shop, urls)

    def install(self, shop: Workshop, driver: str = "12.9") -> int:
        return shop.behind("uv", "pip", "install", NAME, driver=driver)

    def lock(self, shop: Workshop, driver: str = "12.9") -> int:
        arguments = ["--generate-hashes", "requirements.in", "-o", "requirements.txt"]
        return shop.behind("uv", "pip", "compile", *arguments, driver=driver)

    def install_locked(self, shop: Workshop, driver: str = "12.9") -> int:
        return shop.behind("uv", "pip", "sync", "requirements.txt", driver=driver)

    def install_locked_plainly(self, shop: Workshop) -> int:
        return shop.plain("uv", "pip", "sync", "requirements.txt")


class UvProject(Recipe):
    title = "uv sync, lock, add 0.13.8"
    lock_file = "uv.lock"

    def configure(self, shop: Workshop, *urls: str) -> None:
        uv_configuration(shop, urls)
        shop.write("pyproject.toml", pyproject(shop))

    def install(self, shop: Workshop, driver: str = "12.9") -> int:
        return shop.behind("uv", "sync", driver=driver)

    def lock(self, shop: Workshop, driver: str = "12.9") -> int:
        return max(shop.behind("uv", *words, driver=driver) for words in (("add", "app"), ("lock",)))


class PipTools(Requirements):
    title = "pip-compile, pip-sync 7.6.2"
    needs = tuple(TOOLS["pip"])

    def configure(self, shop: Workshop, *urls: str) -> None:
        pip_configuration(shop, urls)

    def install(self, shop: Workshop, driver: str = "12.9") -> int:
        shop.write("requirements.txt", f"{NAME}\n")
        return self.install_locked(shop, driver)

    def lock(self, shop: Workshop, driver: str = "12.9") -> int:
        return shop.behind("pip-compile", "--generate-hashes", "--strip-extras", driver=driver)

    def install_locked(self, shop: Workshop, driver: str = "12.9") -> int:
        return shop.behind("pip-sync", "--python-executable", ".venv/bin/python", driver=driver)

    def install_locked_plainly(self, shop: Workshop) -> int:
        return shop.plain("pip-sync", "--python-executable", ".venv/bin/python")


class Pipx(Recipe):
    title = "pipx 1.18.4 with pip"
    place = "home/pipx/venvs/app"
    uv_on_path = False

    def configure(self, shop: Workshop, *urls: str) -> None:
        pip_configuration(shop, urls)

    def prepare(self, shop: Workshop) -> None:
        shop.plain("pipx", "uninstall", "app")

    def install(self, shop: Workshop, driver: str = "12.9") -> int:
        return shop.behind("pipx", "install", "app", driver=driver)


class PipxWithUv(Pipx):
    title = "pipx 1.18.4 with uv"
    uv_on_path = True

    def configure(self, shop: Workshop, *urls: str) -> None:
        uv_configuration(shop, urls)


class Project(Recipe):
    """Tools with a project file and a lock file."""

    def install(self, shop: Workshop, driver: str = "12.9") -> int:
        assert self.lock_file is not None
        (shop.project / self.lock_file).unlink(missing_ok=True)
        return self.lock(shop, driver) or self.install_locked(shop, driver)


class Poetry(Project):
    title = "poetry 2.5.1"
    lock_file = "poetry.lock"

    def configure(self, shop: Workshop, *urls: str) -> None:
        tables = ["[tool.poetry]\npackage-mode = false\n"]
        for number, url in enumerate(urls):
            priority = "supplemental" if number else "primary"
            tables.append(
                f'[[tool.poetry.source]]\nname = "s{number}"\nurl = "{url}"\npriority = "{priority}"\n'
            )
        shop.write("pyproject.toml", pyproject(shop) + "".join(tables))

    def lock(self, shop: Workshop, driver: str = "12.9") -> int:
        return shop.behind("poetry", "lock", driver=driver)

    def install_locked(self, shop: Workshop, driver: str = "12.9") -> int:
        return shop.behind("poetry", "install", driver=driver)

    def install_locked_plainly(self, shop: Workshop) -> int:
        return shop.plain("poetry", "install")


class Pdm(Project):
    title = "pdm 2.29.3"
    lock_file = "pdm.lock"

    def configure(self, shop: Workshop, *urls: str) -> None:
        tables = ["[tool.pdm]\ndistribution = false\n"]
        for number, url in enumerate(urls):
            name = f"s{number}" if number else "pypi"
            tables.append(f'[[tool.pdm.source]]\nname = "{name}"\nurl = "{url}"\n')
        shop.write("pyproject.toml", pyproject(shop) + "".join(tables))

    def lock(self, shop: Workshop, driver: str = "12.9") -> int:
        return shop.behind("pdm", "lock", driver=driver)

    def install_locked(self, shop: Workshop, driver: str = "12.9") -> int:
        return shop.behind("pdm", "sync", driver=driver)

    def install_locked_plainly(self, shop: Workshop) -> int:
        return shop.plain("pdm", "sync")


RECIPES: tuple[type[Recipe], ...] = (
    Pip,
    UvPip,
    UvProject,
    PipTools,
    Pipx,
    PipxWithUv,
    Poetry,
    Pdm,
)


def locked_hashes(text: str) -> set[str]:
    """Return the SHA-256 digests of files in a lock file of any of the tools."""
    return set(re.findall(r"(?<!content_hash = .)sha256:([0-9a-f]{64})", text))
