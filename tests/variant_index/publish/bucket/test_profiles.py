"""Profiles of the AWS command line: which places count, and that nothing of them is ever shown."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.making import make_wheel
from tests.variant_index.publish.bucket.conftest import use
from tests.variant_index.publish.bucket.publishers import build, consistent
from tests.variant_index.publish.bucket.s3_server import s3_server
from variant_index.publish.bucket.object_storage import Bucket
from variant_index.publish.bucket.profiles import (
    ProfileError,
    profile_options,
    read_profile_options,
    read_sections,
)

KEYS = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "secret/+="}
OTHER = {"aws_access_key_id": "other", "aws_secret_access_key": "hidden", "aws_session_token": "token"}


def test_a_build_with_nothing_but_a_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_wheel(tmp_path / "in", "demo-1.0-py3-none-any.whl")
    with s3_server() as server:
        use({"AWS_ALLOW_HTTP": "true", "AWS_PROFILE": "ours"}, monkeypatch)
        config, credentials = tmp_path / "config", tmp_path / "credentials"
        config.write_text(f"[profile ours]\nregion = us-east-1\nendpoint_url = {server.url}\n")
        credentials.write_text("[ours]\naws_access_key_id = AKIA\naws_secret_access_key = topsecret\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
        build("s3://bucket/index", tmp_path / "in")
        consistent(Bucket("s3://bucket/index"))
        assert server.signers == {"AKIA"}


def test_the_files_are_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text("[default]\naws_access_key_id=a\naws_secret_access_key=b\n")
    (tmp_path / ".aws/config").write_text(
        "# ours\n[default]\nregion=eu-central-1\nservices = local\n"
        "[services local]\ns3 =\n  endpoint_url = https://s3.example\nsts =\n  endpoint_url = https://no\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_profile_options({}) == {
        "aws_access_key_id": "a",
        "aws_secret_access_key": "b",
        "aws_region": "eu-central-1",
        "aws_endpoint_url": "https://s3.example",
    }
    assert (
        read_profile_options({"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}) == {}
    )


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, {**KEYS, "aws_region": "here", "aws_endpoint_url": "https://a"}),
        ({"AWS_ACCESS_KEY_ID": "x"}, {"aws_region": "here", "aws_endpoint_url": "https://a"}),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "x"}, {"aws_region": "here", "aws_endpoint_url": "https://a"}),
        ({"AWS_REGION": "there"}, {**KEYS, "aws_endpoint_url": "https://a"}),
        ({"AWS_DEFAULT_REGION": "there"}, {**KEYS, "aws_endpoint_url": "https://a"}),
        ({"AWS_ENDPOINT_URL": "https://b"}, {**KEYS, "aws_region": "here"}),
        ({"AWS_ENDPOINT_URL_S3": "https://b"}, {**KEYS, "aws_region": "here"}),
        ({"AWS_ACCESS_KEY_ID": ""}, {**KEYS, "aws_region": "here", "aws_endpoint_url": "https://a"}),
        ({"AWS_PROFILE": "second"}, OTHER),
        ({"AWS_PROFILE": "third"}, OTHER),
        ({"AWS_PROFILE": "fourth"}, KEYS),
    ],
)
def test_variables_come_before_files(environment: dict[str, str], wanted: dict[str, str]) -> None:
    config = {
        "default": {"region": "here", "endpoint_url": "https://a", **OTHER},
        "profile second": OTHER,
        "profile fourth": {"credential_process": "program"},
    }
    credentials = {"default": KEYS, "third": OTHER, "fourth": KEYS}
    assert profile_options(environment, config, credentials) == wanted


@pytest.mark.parametrize(
    ("config", "stored", "problem"),
    [
        ({"sso_session": "s"}, {}, "sso_session"),
        ({"sso_start_url": "s"}, KEYS, "sso_start_url"),
        ({"role_arn": "r", "source_profile": "p"}, {}, "role_arn"),
        ({"credential_process": "secret-program"}, {}, "credential_process"),
        ({}, {"aws_access_key_id": "AKIA"}, "belong together"),
        (KEYS, {"aws_access_key_id": "AKIA"}, "belong together"),
    ],
)
def test_what_cannot_be_used_is_said(config: dict[str, str], stored: dict[str, str], problem: str) -> None:
    with pytest.raises(ProfileError, match=problem) as caught:
        profile_options({"AWS_PROFILE": "dev"}, {"profile dev": config}, {"dev": stored})
    assert not {"AKIA", "secret"} & {*str(caught.value).split()}
    assert profile_options({"AWS_ACCESS_KEY_ID": "x"}, {"default": config}, {"default": stored}) == {}


def test_a_profile_that_is_asked_for_must_be_there() -> None:
    with pytest.raises(ProfileError, match="AWS_PROFILE=dev: no such profile"):
        profile_options({"AWS_PROFILE": "dev"}, {"dev": KEYS}, {"default": KEYS})
    assert profile_options({"AWS_PROFILE": "dev", "AWS_ACCESS_KEY_ID": "x"}, {}, {}) == {}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.binary(max_size=200) | st.text("[]=: \n\tabc#%$(){}", max_size=60).map(str.encode))
def test_any_file_is_read_or_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "profiles"
    path.write_bytes(data)
    with contextlib.suppress(ProfileError):
        sections = read_sections(path)
        assert all(isinstance(value, str) for section in sections.values() for value in section.values())


@pytest.mark.parametrize(
    "content", [b"aws_secret_access_key = topsecret", b"[a\n topsecret", b"\xff", b"#" * 2_000_000]
)
def test_a_broken_file_is_named_and_not_repeated(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "credentials"
    path.write_bytes(content)
    with pytest.raises(ProfileError, match="is no file of profiles") as caught:
        read_sections(path)
    assert str(path) in str(caught.value)
    assert "topsecret" not in str(caught.value)
