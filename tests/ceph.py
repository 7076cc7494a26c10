"""A real S3 server for tests: Ceph's object gateway on one in-memory disk, from Debian's packages, unpacked.

The packages (70 MB) are downloaded and unpacked once into the user's cache folder. Nothing is installed and
nothing needs to be root. Everything listens on loopback and ends with the `with` block.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import hmac
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Gateway", "UnavailableError", "gateway"]

_PACKAGES = ("ceph-mon", "ceph-osd", "radosgw", "ceph-common")
_DOWNLOAD_SECONDS = 240
_START_SECONDS = 60
_PYTHON = Path("/usr/bin/python3.11")
_ACCESS, _SECRET = "ak", "secretkey1"


class UnavailableError(Exception):
    """There cannot be a gateway on this machine; the text says why."""


@dataclass(frozen=True)
class Gateway:
    """A running gateway.

    Attributes:
        url: its address, without a slash at the end.
        environment: the variables by which S3 clients find and use it.
    """

    url: str
    environment: Mapping[str, str]

    def make_bucket(self, name: str, index: str = "index.json") -> None:
        """Make a bucket that everybody may read; as a web site, `BUCKET.localhost`, it shows `index`."""
        self._ask("PUT", f"/{name}")
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": ["s3:GetObject"],
                    "Resource": [f"arn:aws:s3:::{name}/*"],
                }
            ],
        }
        self._ask("PUT", f"/{name}", "policy=", json.dumps(policy).encode())
        website = (
            '<WebsiteConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<IndexDocument><Suffix>{index}</Suffix></IndexDocument></WebsiteConfiguration>"
        )
        self._ask("PUT", f"/{name}", "website=", website.encode())

    def _ask(self, method: str, path: str, query: str = "", body: bytes = b"") -> None:
        """Send a signed request (AWS signature version 4): obstore reads and writes objects only."""
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        digest = hashlib.sha256(body).hexdigest()
        headers = {
            "host": self.url.removeprefix("http://"),
            "x-amz-content-sha256": digest,
            "x-amz-date": moment,
        }
        names = ";".join(headers)
        lines = [f"{name}:{value}" for name, value in headers.items()]
        request = "\n".join([method, path, query, *lines, "", names, digest])
        scope = f"{moment[:8]}/us-east-1/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request.encode()).hexdigest()])
        key = f"AWS4{_SECRET}".encode()
        for part in (*scope.split("/"), text):
            key = hmac.new(key, part.encode(), "sha256").digest()
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={_ACCESS}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
        )
        address = f"{self.url}{path}?{query}"
        with urllib.request.urlopen(
            urllib.request.Request(address, body, headers, method=method), timeout=60
        ):
            pass


@contextlib.contextmanager
def gateway() -> Iterator[Gateway]:
    """Run a gateway.

    Raises:
        UnavailableError: not possible on this machine.
    """
    root = _unpacked()
    with tempfile.TemporaryDirectory(prefix="ceph-", dir=_memory()) as folder:
        cluster = _Cluster(root, Path(folder))
        try:
            try:
                running = cluster.start()
            except (subprocess.SubprocessError, OSError) as error:
                raise UnavailableError(f"Ceph does not start: {error}; {cluster.last_words()}") from error
            yield running
        finally:
            cluster.stop()


def _memory() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _unpacked() -> Path:
    """Return the folder with the unpacked packages, which are fetched when they are not there yet."""
    if platform.machine() != "x86_64" or not _is_debian_12():
        raise UnavailableError("Ceph's packages here are those of Debian 12 on x86-64")
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise UnavailableError("no apt-get here to download Ceph with")
    if not _PYTHON.exists():
        raise UnavailableError(f"Ceph's administration tool needs {_PYTHON}")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "variant-index-tests"
    root = cache / "ceph"
    if root.is_dir():
        return root
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ceph-", dir=cache) as folder:
        debs, part = Path(folder) / "debs", Path(folder) / "root"
        debs.mkdir()
        part.mkdir()
        _download(debs)
        for deb in sorted(debs.glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", deb, part], check=True, timeout=60, capture_output=True)
        with contextlib.suppress(OSError):  # another process was faster
            part.rename(root)
    return root


def _is_debian_12() -> bool:
    try:
        text = Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return False
    return "\nID=debian\n" in f"\n{text}" and 'VERSION_ID="12"' in text


def _download(folder: Path) -> None:
    deadline = time.monotonic() + _DOWNLOAD_SECONDS
    try:
        plan = subprocess.run(
            ["apt-get", "-s", "install", "--no-install-recommends", *_PACKAGES],
            check=True, timeout=60, capture_output=True, text=True,
        )  # fmt: skip
        names = re.findall(r"^Inst (\S+)", plan.stdout, re.MULTILINE)
        if not names:
            raise UnavailableError("Ceph is installed, and this knows only how to run it unpacked")
        subprocess.run(
            ["apt-get", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::Retries=1", "download", *names],
            check=True, timeout=deadline - time.monotonic(), capture_output=True, cwd=folder,
        )  # fmt: skip
    except subprocess.CalledProcessError as error:
        text = error.stderr if isinstance(error.stderr, str) else error.stderr.decode(errors="replace")
        reason = (text.strip().splitlines() or ["no reason given"])[-1]
        raise UnavailableError(f"apt-get does not get Ceph's packages: {reason}") from None
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"apt-get does not get Ceph's packages within {_DOWNLOAD_SECONDS} s") from None


class _Cluster:
    """One monitor, one disk in memory, one gateway."""

    def __init__(self, root: Path, data: Path) -> None:
        self._root = root
        self._data = data
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []
        libraries = root / "usr/lib/x86_64-linux-gnu"
        self._environment = {
            "LD_LIBRARY_PATH": f"{libraries}:{libraries}/ceph:{root}/lib/x86_64-linux-gnu",
            "PATH": f"{root}/usr/bin:{root}/usr/sbin:{os.environ.get('PATH', os.defpath)}",
            "PYTHONPATH": f"{root}/usr/lib/python3/dist-packages",
            "CEPH_CONF": str(data / "ceph.conf"),
            "HOME": str(data),
            "LANG": "C.UTF-8",
        }

    def start(self) -> Gateway:
        data = self._data
        monitor, port = _free_ports(2)
        fsid = str(uuid.uuid4())
        self._configure(fsid, monitor, port)
        self._run(
            "monmaptool", "--create", "--add", "a", f"127.0.0.1:{monitor}", "--fsid", fsid, f"{data}/monmap"
        )
        admin = f"{data}/admin.keyring"
        # All keys are known to the monitor from the start.
        self._run(
            "ceph-authtool", "--create-keyring", admin, "-n", "mon.", "--gen-key", "--cap", "mon", "allow *"
        )
        every = ("--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *")
        self._run("ceph-authtool", admin, "-n", "client.admin", "--gen-key", *every)
        self._run("ceph-authtool", admin, "-n", "client.rgw", "--gen-key", *every)
        self._run("ceph-authtool", "--create-keyring", f"{data}/osd/keyring", "-n", "osd.0", "--gen-key",
                  "--cap", "mon", "allow profile osd", "--cap", "osd", "allow *")  # fmt: skip
        self._run("ceph-authtool", admin, "--import-keyring", f"{data}/osd/keyring")
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", f"{data}/monmap", "--keyring", admin)
        self._spawn("ceph-mon", "-i", "a", "-f")
        disk = str(uuid.uuid4())
        self._ceph("osd", "new", disk, "0")
        self._run("ceph-osd", "-i", "0", "--mkfs", "--monmap", f"{data}/monmap", "--osd-uuid", disk)
        self._spawn("ceph-osd", "-i", "0", "-f")
        self._ceph("osd", "crush", "add", "osd.0", "1.0", "root=default", "host=localhost")
        self._run("radosgw-admin", "user", "create", "--uid=u", "--display-name=u",
                  f"--access-key={_ACCESS}", f"--secret-key={_SECRET}")  # fmt: skip
        self._spawn("radosgw", "-n", "client.rgw", "-f")
        url = f"http://127.0.0.1:{port}"
        self._wait_for(url)
        environment = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": _ACCESS,
            "AWS_SECRET_ACCESS_KEY": _SECRET,
        }
        return Gateway(url, environment)

    def stop(self) -> None:
        """End the processes, the disk before the monitor, without which it would not."""
        order = {"radosgw": 0, "ceph-osd": 1, "ceph-mon": 2}
        for _, process in sorted(self._running, key=lambda item: order[item[0]]):
            process.send_signal(signal.SIGKILL)  # nothing here has to be kept
            process.wait(timeout=60)

    def last_words(self) -> str:
        """Return the last line that a program wrote before things went wrong."""
        lines = [
            line
            for file in self._data.glob("*.err")
            for line in file.read_text(errors="replace").splitlines()
        ]
        return lines[-1] if lines else "it said nothing"

    def _configure(self, fsid: str, monitor: int, port: int) -> None:
        data, libraries = self._data, self._root / "usr/lib/x86_64-linux-gnu"
        for name in ("mon", "osd", "rgw", "run"):
            (data / name).mkdir()
        (data / "ceph.conf").write_text(
            f"""\
[global]
fsid = {fsid}
mon host = 127.0.0.1:{monitor}
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd crush chooseleaf type = 0
mon allow pool size one = true
osd objectstore = memstore
memstore device bytes = 2147483648
ms bind ipv6 = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
admin socket =
run dir = {data}/run
log file = {data}/$name.log
mon cluster log file = {data}/cluster.log
setuser match path =
mon data avail crit = 1
keyring = {data}/admin.keyring
plugin dir = {libraries}/ceph
erasure code dir = {libraries}/ceph/erasure-code
osd class dir = {libraries}/rados-classes
[mon.a]
mon data = {data}/mon
[osd.0]
osd data = {data}/osd
keyring = {data}/osd/keyring
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw data = {data}/rgw
rgw enable static website = true
rgw enable apis = s3, s3website, admin
rgw dns name = 127.0.0.1
rgw dns s3website name = localhost
""",
            encoding="utf-8",
        )

    def _run(self, *command: str, timeout: float = 30) -> None:
        environment = self._environment
        program = shutil.which(command[0], path=environment["PATH"]) or command[0]
        with (self._data / f"{command[0]}.err").open("ab") as errors:
            subprocess.run(
                [program, *command[1:]], check=True, timeout=timeout, env=environment,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
            )  # fmt: skip

    def _ceph(self, *command: str) -> None:
        program = f"{self._root}/usr/bin/ceph"
        self._run(str(_PYTHON), program, "--connect-timeout", "20", *command)

    def _spawn(self, *command: str) -> None:
        environment = self._environment
        program = shutil.which(command[0], path=environment["PATH"]) or command[0]
        with (self._data / f"{command[0]}.err").open("ab") as errors:
            process = subprocess.Popen(
                [program, *command[1:]],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 -- one system call
            )
        self._running.append((command[0], process))

    def _wait_for(self, url: str) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            for name, process in self._running:
                if process.poll() is not None:
                    raise TimeoutError(f"{name} ended with status {process.returncode}")
            try:
                with urllib.request.urlopen(url, timeout=5):
                    return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.1)
        raise TimeoutError(f"no answer within {_START_SECONDS} s")


def _end_with_parent() -> None:
    """Have the kernel kill this process when the tests are killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in sockets]
