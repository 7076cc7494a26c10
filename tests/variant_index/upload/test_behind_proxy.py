"""Uploads and reads through a real nginx, with the configuration that the documentation has."""

from __future__ import annotations

import os
import urllib.request
from pathlib import Path

import pytest
import uv

from tests.making import make_wheel
from tests.variant_index.publish.clients import installed_file, pip_install
from tests.variant_index.publish.hosts import nginx, snippet
from tests.variant_index.upload.sending import TOKEN, running
from tests.variant_index.upload.test_tools import run


@pytest.mark.parametrize("prefix", ["", "/wheels"])
def test_any_name_and_path_will_do(tmp_path: Path, prefix: str) -> None:
    wheel = make_wheel(
        tmp_path, "vdemo-1.0-py3-none-any.whl", files={"vdemo.py": b"a = 'vdemo'", "x": os.urandom(2 << 20)}
    )
    config = snippet("upload.md", "The server listens on 127.0.0.1 only")
    with running(tmp_path / "out") as server:
        for old, new in (
            ("listen 443 ssl;", "listen 127.0.0.1:PORT0;"),
            ("ssl_certificate wheels.example.com.pem;", ""),
            ("ssl_certificate_key wheels.example.com.key;", ""),
            ("location / {", f"location {prefix}/ {{"),
            ("127.0.0.1:8000;", f"127.0.0.1:{server.server.server_port}{'/' if prefix else ''};"),
        ):
            assert config.count(old) == 1
            config = config.replace(old, new)
        with nginx(config) as (address,):
            url = f"{address}{prefix}"
            done = run(
                tmp_path, uv.find_uv_bin(), "publish", "--trusted-publishing", "never", "--token", TOKEN,
                "--publish-url", f"{url}/legacy/", wheel,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            done = pip_install(f"{url}/simple/", "vdemo", tmp_path / "target")
            assert done.returncode == 0, done.stderr
            assert installed_file(tmp_path / "target", "vdemo") == "vdemo"
            for short, whole in (
                ("", "/simple/"),
                ("/simple/VDemo/", "/simple/vdemo/"),
                ("/simple/vdemo", "/simple/vdemo/"),
            ):
                with urllib.request.urlopen(f"{url}{short or '/'}", timeout=60) as answer:
                    assert answer.url == f"{url}{whole}"
