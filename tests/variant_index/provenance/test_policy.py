from __future__ import annotations

import pytest

from variant_index.errors import InputError
from variant_index.provenance.policy import GITHUB_ISSUER, parse_policy, trusted_for

REPOSITORY = 'repository = "https://github.com/pytorch/pytorch"'


def test_who_may_build_what() -> None:
    policy = parse_policy(
        f'[[publisher]]\nprojects = ["torch", "torchv*"]\n{REPOSITORY}\nworkflow = "release.yml"\n'
        '[[publisher]]\nprojects = ["*"]\nidentity = "me@example.org"\nissuer = "https://accounts.example.org"'.encode(),
        "policy.toml",
    )
    first, second = policy
    assert trusted_for("torchvision", policy) == policy
    assert trusted_for("torchaudio", policy) == (second,)
    assert trusted_for("torch", policy[:1]) == (first,)
    assert trusted_for("torch-x", policy[:1]) == ()
    assert str(first) == "https://github.com/pytorch/pytorch/.github/workflows/release.yml"
    assert (first.issuer, str(second)) == (GITHUB_ISSUER, "me@example.org")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "publisher"),
        ("publisher = []", "publisher"),
        (f"[[publisher]]\n{REPOSITORY}", "projects"),
        (f"[[publisher]]\nprojects = []\n{REPOSITORY}", "projects"),
        ('[[publisher]]\nprojects = ["a"]', "needs a repository or an identity, and not both"),
        (f'[[publisher]]\nprojects = ["a"]\n{REPOSITORY}\nidentity = "x"', "and not both"),
        ('[[publisher]]\nprojects = ["a"]\nidentity = "x"\nworkflow = "y"', "workflow goes with repository"),
        ('[[publisher]]\nprojects = ["a"]\nrepository = "http://github.com/a/b"', "repository"),
        ('[[publisher]]\nprojects = ["a"]\nrepository = "https://github.com/a/b/"', "repository"),
        (f'[[publisher]]\nprojects = ["a"]\n{REPOSITORY}\nworkflow = "../x.yml"', "workflow"),
        (f'[[publisher]]\nprojects = ["a"]\n{REPOSITORY}\nother = 1', "other"),
        ("[[", "not TOML"),
    ],
)
def test_refuses_policies_that_are_wrong(text: str, problem: str) -> None:
    with pytest.raises(InputError, match=f"^policy.toml: .*{problem}") as caught:
        parse_policy(text.encode(), "policy.toml")
    assert "\n" not in str(caught.value)
