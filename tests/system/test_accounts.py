"""Names and numbers of users and groups."""

from __future__ import annotations

import pytest

from reconcile.system.accounts import Accounts, UnknownAccount

pytestmark = pytest.mark.process


def test_a_user_is_known_with_all_its_groups() -> None:
    found = Accounts().user("www-data")

    assert (33, 33) == (found.uid, found.gid)
    assert 33 in found.groups


def test_numbers_and_names_lead_to_each_other() -> None:
    accounts = Accounts()

    assert "www-data" == accounts.user_name(33)
    assert 33 == accounts.group(accounts.group_name(33))


def test_an_owner_without_an_account_keeps_its_number() -> None:
    accounts = Accounts()

    assert "54321" == accounts.user_name(54321)
    assert 54321 == accounts.user("54321").uid
    assert 54321 == accounts.group(accounts.group_name(54321))


@pytest.mark.parametrize("name", ["nobody-at-all", "", "٣", "-1", "1 "])
def test_an_unknown_name_is_an_error_with_a_way_out(name: str) -> None:
    for ask in (Accounts().user, Accounts().group):
        with pytest.raises(UnknownAccount) as refused:
            ask(name)
        assert "add --system" in refused.value.fix
