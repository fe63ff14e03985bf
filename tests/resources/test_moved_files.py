"""A file whose owner can not have put it where it lies is neither published nor given away."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconcile.engine.model import Finding
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.permissions import PermissionPolicy
from reconcile.filesystem.sync.sync_diff import SyncRequest
from reconcile.resources.assets import Assets
from reconcile.resources.tree import Tree
from reconcile.system import Host
from tests.support.needs_root import needs_root

pytestmark = [
    pytest.mark.process,
    needs_root("gives files to others"),
]

ROOT, WEB, DEPLOY, OTHER = 0, 33, 9, 8
"""Users, each with a group of the same number; none is in another's."""
POLICY = PermissionPolicy(0, 0, 0o644, 0o755)


@pytest.fixture
def source(public: Path) -> Path:
    """The source of static files, which the user DEPLOY writes."""
    source = public / "app/static"
    source.mkdir(parents=True)
    (source / "a.css").write_text("public")
    for path in (source.parent, source, source / "a.css"):
        os.chown(path, DEPLOY, DEPLOY)
    (public / "copy").mkdir()
    return source


def give(path: Path, uid: int, gid: int, mode: int) -> Path:
    if not path.exists():
        path.write_text("secret")
    os.chown(path, uid, gid)
    path.chmod(mode)
    return path


def published(source: Path, host: Host) -> tuple[set[str], tuple[Finding, ...]]:
    """The files of the copy after an apply, and what was reported."""
    copy = source.parents[1] / "copy"
    assets = Assets(path=str(copy), source=str(source), user="root", group="root")
    found = assets.observe(host)
    assert found is not None
    assets.apply(host, found)
    assert () == (assets.observe(host) or assets).differences
    return {path.name for path in copy.rglob("*") if path.is_file()}, found.findings()


class TestPublishing:
    @pytest.mark.parametrize(
        ("uid", "gid", "mode"),
        [
            (ROOT, ROOT, 0o600),
            (ROOT, ROOT, 0o640),
            (OTHER, OTHER, 0o600),
            (OTHER, OTHER, 0o660),
            (WEB, OTHER, 0o400),
        ],
    )
    def test_what_whoever_moved_it_there_cannot_read_is_reported(
        self, uid: int, gid: int, mode: int, source: Path, host: Host
    ) -> None:
        give(source / "x.txt", uid, gid, mode)

        names, (finding,) = published(source, host)

        assert {"a.css"} == names
        assert ("private-source", "warning") == (finding.rule, finding.severity)
        owner = host.accounts.user_name(uid)
        assert (f"{source}/x.txt belongs to {owner}",) == finding.evidence
        assert "chmod o+r" in finding.fix

    @pytest.mark.parametrize("folder", ["", "css", "css/deep"])
    def test_wherever_it_lies_in_the_source(self, folder: str, source: Path, host: Host) -> None:
        (source / folder).mkdir(parents=True, exist_ok=True)
        give(source / folder / "x.txt", ROOT, ROOT, 0o600)

        names, _ = published(source, host)

        assert {"a.css"} == names

    def test_by_a_link_to_it(self, source: Path, host: Host) -> None:
        give(source / ".hidden", ROOT, ROOT, 0o600)
        (source / "x.txt").symlink_to(".hidden")

        assert {"a.css"} == published(source, host)[0]

    def test_one_that_was_published_and_has_been_replaced_by_it(
        self, source: Path, host: Host
    ) -> None:
        published(source, host)
        (source / "a.css").unlink()
        give(source / "a.css", ROOT, ROOT, 0o600)

        published(source, host)

        assert "public" == (source.parents[1] / "copy/a.css").read_text()

    def test_one_that_takes_the_place_of_another_after_the_comparison(
        self, source: Path, host: Host
    ) -> None:
        request = SyncRequest(str(source), str(source.parents[1] / "copy"), POLICY)

        found = host.files.diff(request)
        (source / "a.css").unlink()
        give(source / "a.css", ROOT, ROOT, 0o600)

        with pytest.raises(HostError, match="was not published"):
            host.files.sync(request, found)

    def test_a_first_copy_reports_it_in_its_plan(self, source: Path, host: Host) -> None:
        give(source / "x.txt", ROOT, ROOT, 0o600)
        absent = Assets(path=str(source.parents[1] / "absent"), source=str(source))

        (finding,) = absent.planned(host).preflight_warnings(host)

        assert "private-source" == finding.rule

    @pytest.mark.parametrize("mode", [0o700, 0o750])
    def test_a_whole_folder_that_took_the_place_of_the_source(
        self, mode: int, source: Path, host: Host
    ) -> None:
        (source / "a.css").unlink()
        give(source / "x.txt", ROOT, ROOT, 0o644)
        os.chown(source, ROOT, ROOT)
        source.chmod(mode)

        for copy in ("copy", "absent"):
            with pytest.raises(HostError, match="cannot be"):
                Assets(path=str(source.parents[1] / copy), source=str(source)).planned(host)

    def test_a_whole_folder_behind_a_link_of_roots(
        self, source: Path, public: Path, host: Host
    ) -> None:
        give(source / "x.txt", OTHER, OTHER, 0o644)
        os.chown(source, OTHER, OTHER)
        source.chmod(0o700)
        (public / "link").symlink_to(source)

        with pytest.raises(HostError, match="cannot be"):
            Assets(path=str(public / "copy"), source=str(public / "link")).planned(host)

    @pytest.mark.parametrize(
        ("uid", "gid", "mode"),
        [
            (ROOT, ROOT, 0o644),
            (OTHER, OTHER, 0o644),
            (DEPLOY, DEPLOY, 0o600),
            (DEPLOY, DEPLOY, 0o400),
            (DEPLOY, OTHER, 0o640),
            (ROOT, DEPLOY, 0o640),
        ],
    )
    def test_ordinary_files_are_published(
        self, uid: int, gid: int, mode: int, source: Path, host: Host
    ) -> None:
        give(source / "x.txt", uid, gid, mode)

        assert ({"a.css", "x.txt"}, ()) == published(source, host)

    @pytest.mark.parametrize(
        ("uid", "gid", "mode", "is_published"),
        [
            (OTHER, DEPLOY, 0o664, True),
            (OTHER, DEPLOY, 0o640, True),
            (OTHER, OTHER, 0o640, False),
            (OTHER, DEPLOY, 0o600, False),
        ],
    )
    def test_a_folder_that_a_group_shares(
        self, uid: int, gid: int, mode: int, is_published: bool, source: Path, host: Host
    ) -> None:
        source.parent.chmod(0o2775)
        source.chmod(0o2775)
        give(source / "x.txt", uid, gid, mode)

        assert is_published == ("x.txt" in published(source, host)[0])

    def test_roots_own_source_is_published_as_it_is(self, source: Path, host: Host) -> None:
        for path in (source.parent, source):
            os.chown(path, ROOT, ROOT)
        give(source / "x.txt", ROOT, ROOT, 0o600)

        assert ({"a.css", "x.txt"}, ()) == published(source, host)


class TestGivingAway:
    @pytest.fixture
    def media(self, public: Path) -> Path:
        media = public / "media"
        media.mkdir(mode=0o755)
        os.chown(media, WEB, WEB)
        return media

    @staticmethod
    def _fixed(media: Path, host: Host) -> tuple[Finding, ...]:
        tree = Tree(path=str(media), user="www-data", group="www-data")
        found = tree.observe(host)
        assert found is not None
        tree.apply(host, found)
        assert () == (tree.observe(host) or tree).deviations
        return found.findings()

    def test_a_third_users_file_is_reported(self, media: Path, host: Host) -> None:
        give(media / "x.jpg", OTHER, OTHER, 0o600)

        (finding,) = self._fixed(media, host)

        assert (OTHER, 0o600) == (
            (media / "x.jpg").stat().st_uid,
            (media / "x.jpg").stat().st_mode & 0o777,
        )
        owner = host.accounts.user_name(OTHER)
        assert (f"{media}/x.jpg belongs to {owner}",) == finding.evidence
        assert "chown www-data:www-data" in finding.fix

    def test_the_rest_is_fixed_all_the_same(self, media: Path, host: Host) -> None:
        give(media / "x.jpg", OTHER, OTHER, 0o600)
        give(media / "y.jpg", WEB, WEB, 0o600)

        self._fixed(media, host)

        assert 0o644 == (media / "y.jpg").stat().st_mode & 0o777

    @pytest.mark.parametrize("mode", [0o1777, 0o777])
    def test_where_everybody_may_write_its_owner_put_it_there(
        self, mode: int, media: Path, host: Host
    ) -> None:
        media.chmod(mode)
        give(media / "x.jpg", OTHER, OTHER, 0o600)

        self._fixed(media, host)

        assert WEB == (media / "x.jpg").stat().st_uid

    def test_in_a_folder_of_its_owners_it_is_fixed(self, media: Path, host: Host) -> None:
        (media / "theirs").mkdir()
        os.chown(media / "theirs", OTHER, OTHER)
        give(media / "theirs/x.jpg", OTHER, OTHER, 0o600)

        assert () == self._fixed(media, host)
        assert WEB == (media / "theirs/x.jpg").stat().st_uid

    def test_a_tree_that_changes_hands_is_given_as_a_whole(self, media: Path, host: Host) -> None:
        os.chown(media, DEPLOY, DEPLOY)
        (media / "2026").mkdir()
        os.chown(media / "2026", DEPLOY, DEPLOY)
        for name in ("a.jpg", "2026/b.jpg"):
            give(media / name, DEPLOY, DEPLOY, 0o644)
        tree = Tree(path=str(media), user="www-data", group="www-data")
        found = tree.observe(host)
        # As in an apply: the directory is put right first.
        os.chown(media, WEB, WEB)

        tree.apply(host, found)

        assert {WEB} == {path.stat().st_uid for path in media.rglob("*")}

    @pytest.mark.parametrize("file", ["x.jpg"])
    def test_a_single_path_goes_by_the_same_rule(self, file: str, media: Path, host: Host) -> None:
        give(media / file, OTHER, OTHER, 0o600)

        with pytest.raises(Exception, match="belongs to another user"):
            host.files.set_permissions(str(media / file), uid=WEB, gid=WEB, mode=0o644)
