"""From claims to a user, who is nobody in doubt."""

from __future__ import annotations

from typing import Any

import pytest

from hotshoe.auth.identity import claim, groups_of, is_name, user_of_claims, without_extras

CLAIMS: dict[str, Any] = {"sub": "7", "email": "ada@example.org", "email_verified": True, "name": "Ada", "nonce": "n",
                          "groups": ["staff"], "aud": "us"}


def test_a_user_of_claims() -> None:
    user = user_of_claims(CLAIMS, user_claim="sub", groups_claim="groups")
    assert user is not None
    assert (user.name, user.email, user.groups) == ("7", "ada@example.org", frozenset({"staff"}))
    assert set(user.claims) == {"sub", "email", "email_verified", "name"}
    assert without_extras(user).claims == {"sub": "7", "name": "Ada"}


@pytest.mark.parametrize(("verified", "trusts", "email"), [
    (True, False, "ada@example.org"), ("true", False, "ada@example.org"), (False, True, ""), ("false", True, ""),
    (None, True, ""), ("yes", False, ""), (1, False, "ada@example.org"),
])
def test_an_address_counts_if_it_is_verified(verified: object, trusts: bool, email: str) -> None:
    user = user_of_claims({**CLAIMS, "email_verified": verified}, user_claim="sub", groups_claim="groups",
                          trusts_email=trusts)
    assert user is not None
    assert user.email == email


def test_an_address_without_a_word_on_it() -> None:
    claims = {name: value for name, value in CLAIMS.items() if name != "email_verified"}
    assert user_of_claims(claims, user_claim="email", groups_claim="groups") is None
    user = user_of_claims(claims, user_claim="email", groups_claim="groups", trusts_email=True)
    assert user is not None
    assert user.name == "ada@example.org"


@pytest.mark.parametrize("name", [None, "", " ", "a\nb", "x" * 257, ["a"], {"a": 1}, True, 1.5, "a\u2028b", "\ud800"])
def test_what_is_no_name_is_nobody(name: object) -> None:
    assert user_of_claims({**CLAIMS, "sub": name}, user_claim="sub", groups_claim="groups") is None


def test_the_way_to_a_claim() -> None:
    claims = {"realm": {"roles": ["a"]}, "https://x.y/groups": ["b"], "realm.roles": "whole"}
    assert claim(claims, "https://x.y/groups") == ["b"]
    assert claim(claims, "realm.roles") == "whole", "a name that is there is stronger than a way"
    assert claim({"realm": {"roles": ["a"]}}, "realm.roles") == ["a"]
    assert claim({"realm": "text"}, "realm.roles") is None
    assert claim({}, "realm.roles") is None


def test_groups_are_texts() -> None:
    assert groups_of(["a", 1, None, "", "b\n", ["c"], "d"]) == {"a", "d"}
    assert groups_of("a") == {"a"}
    assert groups_of(None) == groups_of({"a": 1}) == frozenset()
    assert is_name("Jürgen von Größe")
