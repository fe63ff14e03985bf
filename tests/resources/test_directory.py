"""A directory, and who must be able to pass through it."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import HostError
from reconcile.resources.directory import Directory
from reconcile.system import Host
from tests.support.completed import completed

pytestmark = pytest.mark.process


def put(wanted: Directory, host: Host) -> Directory:
    before = wanted.observe(host)
    completed(wanted, before, host).apply(host, before)
    after = wanted.observe(host)
    assert after is not None
    return after


def mode_of(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):04o}"


@pytest.mark.parametrize(
    ("owner", "before", "after"),
    [
        ((0, 0), 0o700, "0701"),
        ((0, 33), 0o700, "0710"),
        ((33, 0), 0o600, "0700"),
        ((0, 0), 0o755, "0755"),
    ],
    ids=["by others", "by their group", "as its owner", "who can already"],
)
def test_who_must_pass_gets_the_least_bit_that_lets_them(
    host: Host, site: Path, owner: tuple[int, int], before: int, after: str
) -> None:
    os.chown(site, *owner)
    site.chmod(before)

    found = put(Directory(path=str(site), enterable_by=("www-data",)), host)

    assert ("www-data",) == found.enterable_by
    assert after == mode_of(site)


def test_a_mode_that_keeps_them_out_is_refused_before_anything_changes(
    host: Host, site: Path
) -> None:
    wanted = Directory(path=str(site), mode=0o750, enterable_by=("www-data",))

    with pytest.raises(ReconcileError, match=f"mode 0750 on {site} denies access to www-data"):
        wanted.preflight(host, ())

    Directory(path=str(site), group="www-data", mode=0o750, enterable_by=("www-data",)).preflight(
        host, ()
    )


def test_a_symlink_to_a_directory_that_only_root_can_have_made_is_that_directory(
    host: Host, site: Path
) -> None:
    (site / "real").mkdir(mode=0o700)
    (site / "link").symlink_to("real")

    put(Directory(path=f"{site}/link", mode=0o755), host)

    assert "0755" == mode_of(site / "real")
    assert (site / "link").is_symlink()


def test_a_file_in_its_place_is_refused(host: Host, site: Path) -> None:
    (site / "file").touch()

    with pytest.raises(HostError, match="is a file, but the configuration declares a directory"):
        Directory(path=f"{site}/file").observe(host)


def test_made_without_a_mode_it_is_0755_whatever_the_umask(host: Host, site: Path) -> None:
    old = os.umask(0o077)
    try:
        put(Directory(path=f"{site}/new"), host)
    finally:
        os.umask(old)

    assert "0755" == mode_of(site / "new")


class TestRemoval:
    def test_stays_as_long_as_anything_is_in_it(self, host: Host, site: Path) -> None:
        for number in range(5):
            (site / f"{number}").touch()
        there = Directory.from_name(str(site)).observe(host)

        assert there is not None
        assert "it still contains 0, 1, 2 and 2 more" == there.why_not_removable(frozenset())
        there.delete(host)
        assert 5 == len(os.listdir(site))

    def test_goes_when_all_in_it_goes_too(self, host: Host, site: Path) -> None:
        inner = Directory(path=f"{site}/inner")
        put(inner, host)
        there = Directory.from_name(str(site)).observe(host)

        assert there is not None
        assert "" == there.why_not_removable(frozenset({inner.ref}))


def test_an_access_list_counts(host: Host, site: Path) -> None:
    site.chmod(0o700)
    subprocess.run(["setfacl", "-m", "u:www-data:x", site], check=True)

    found = Directory(path=str(site), enterable_by=("www-data",)).observe(host)

    assert found is not None
    assert ("www-data",) == found.enterable_by


class TestAnUnsafeParent:
    """Whoever may write above a directory can replace it, whatever its own mode."""

    @pytest.mark.parametrize(
        ("uid", "mode", "writer"),
        [(33, 0o755, "its owner www-data"), (0, 0o777, "everyone"), (0, 0o775, "the group root")],
    )
    def test_is_reported_with_who_may_write_it_and_the_fix(
        self, host: Host, site: Path, uid: int, mode: int, writer: str
    ) -> None:
        (site / "app/media").mkdir(parents=True)
        os.chown(site / "app", uid, 0)
        (site / "app").chmod(mode)

        found = Directory(path=f"{site}/app/media").observe(host)

        assert found is not None
        [finding] = found.findings()
        assert ("unsafe-parent", "warning") == (finding.rule, finding.severity)
        assert finding.what.startswith(f"{site}/app can be written by {writer},")
        assert finding.fix.startswith(f"chown root:root {site}/app && chmod go-w {site}/app")

    def test_that_is_roots_alone_or_sticky_is_no_finding(self, host: Host, site: Path) -> None:
        (site / "tmp/media").mkdir(parents=True)
        (site / "tmp").chmod(0o1777)
        os.chown(site / "tmp/media", 33, 33)

        found = Directory(path=f"{site}/tmp/media").observe(host)

        assert found is not None
        assert () == found.findings()

    def test_is_reported_before_the_directory_exists(self, host: Host, site: Path) -> None:
        (site / "app").mkdir()
        os.chown(site / "app", 33, 0)
        missing = Directory(path=f"{site}/app/media/2026")

        [finding] = missing.preflight_warnings(host)

        assert missing.observe(host) is None
        assert finding.what.startswith(f"{site}/app can be written by its owner www-data,")

    def test_no_finding_where_all_that_is_missing_will_be_created(
        self, host: Host, site: Path
    ) -> None:
        assert () == Directory(path=f"{site}/www/app/media").preflight_warnings(host)
