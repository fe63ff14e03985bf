"""One reconcile.yaml on one host, from the file to the applied plan."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from reconcile.config.probes import FilesProbe, Probe
from reconcile.engine.history import Actor, HistoryEntry
from reconcile.engine.journal import Journal
from reconcile.engine.ledger import Ledger, encode
from reconcile.engine.model import Check, Plan
from reconcile.engine.rollback_plan import plan_rollback
from reconcile.engine.selection import Selection
from reconcile.errors import LockHeld, ReconcileError, StalePlan
from reconcile.resources.directory import Directory
from reconcile.system import Host
from reconcile.workspace import Workspace
from reconcile.workspace.applying import locked
from reconcile.workspace.checking import verify_sites
from reconcile.workspace.planning import plan_changes, replan
from reconcile.workspace.rolling_back import roll_back
from tests.support.image import Image

pytestmark = pytest.mark.process


@pytest.fixture
def image(public: Path) -> Image:
    """In a folder that no other process of the tests opens or closes meanwhile."""
    return Image(public)


def sites_of(plan: Plan) -> set[str]:
    return {site for change in plan.changes for site in change.sites}


def test_what_is_applied_is_what_the_next_plan_finds(image: Image) -> None:
    assert "applied" == image.apply(image.declare(shop=8001))

    assert () == plan_changes(image.declare(shop=8001)).changes
    assert "body {}\n" == (image.root / "www" / "shop" / "site.css").read_text()


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("error_pages: {404: ./none/404.html}", "error_pages.404"),
        ("maintenance: {enabled: true, page: ./none.html}", "maintenance.page"),
        ("access: {basic: ./none}", "access.basic"),
    ],
)
def test_a_file_that_does_not_exist_is_named_with_its_key(
    image: Image, line: str, key: str
) -> None:
    file = Path(image.declare(shop=8001).config.file)
    text = file.read_text().replace("    listen:", f"    {line}\n    listen:")
    file.write_text(text)

    with pytest.raises(ReconcileError, match=r"none.* does not exist") as refused:
        plan_changes(Workspace.open(str(file)))

    number = text.splitlines().index(f"    {line}") + 1
    assert f"sites.shop.{key} names it ({file}:{number})" == refused.value.why


def test_a_replaceable_directory_is_reported_once_before_the_first_apply(
    image: Image,
) -> None:
    (image.root / "www").mkdir()
    os.chown(image.root / "www", 33, 33)

    found = plan_changes(image.declare(shop=8001, blog=8002)).findings

    unsafe = [finding.what for finding in found if finding.rule == "unsafe-parent"]
    assert 1 == len(unsafe)
    assert unsafe[0].startswith(f"{image.root}/www can be written by its owner www-data,")


def test_one_site_of_two_is_planned_alone(image: Image) -> None:
    workspace = image.declare(shop=8001, blog=8002)

    image.apply(workspace, Selection(sites=("blog",)))

    assert (False, True) == (image.site_file("shop").exists(), image.site_file("blog").exists())
    assert {"shop"} <= sites_of(plan_changes(image.declare(shop=8001, blog=8002)))


def test_a_site_that_was_dropped_is_removed_and_the_other_stays(image: Image) -> None:
    image.apply(image.declare(shop=8001, blog=8002))

    image.apply(image.declare(blog=8002))

    assert (False, True) == (image.site_file("shop").exists(), image.site_file("blog").exists())
    assert not (image.root / "www" / "shop").exists()


def test_a_plan_that_was_approved_is_refused_once_the_host_has_moved(image: Image) -> None:
    image.apply(image.declare(shop=8001))
    workspace = image.declare(shop=8003)
    approved = plan_changes(workspace)

    image.site_file("shop").write_text("# by hand\n")

    with (
        locked(workspace, "reconcile apply") as current,
        pytest.raises(StalePlan) as error,
    ):
        replan(current, approved.inputs)
    assert f"file:{image.site_file('shop')}: content changed on the host" in error.value.why


def test_a_plan_that_still_fits_is_planned_again_as_it_was(image: Image) -> None:
    workspace = image.declare(shop=8001)
    approved = plan_changes(workspace)

    assert approved.fingerprint == replan(workspace, approved.inputs).fingerprint


def test_a_file_that_declares_nothing_is_refused_while_something_is_owned(image: Image) -> None:
    image.apply(image.declare(shop=8001))

    with pytest.raises(ReconcileError, match="declares nothing"):
        image.apply(image.declare())
    assert image.site_file("shop").exists()


def test_an_apply_that_was_interrupted_is_a_warning_in_the_plan(image: Image) -> None:
    workspace = image.declare(shop=8001)
    begun = HistoryEntry("2026-11-22T08:00:00Z", Actor("ann"), "begun")
    Journal.begin(workspace.host.state, encode(Ledger()), begun)

    assert ["The apply started by ann at 2026-11-22T08:00:00Z did not finish."] == [
        finding.what for finding in plan_changes(workspace).findings
    ]


def test_a_second_lock_is_refused_while_the_first_is_held(image: Image) -> None:
    workspace = image.declare(shop=8001)

    with (
        locked(workspace, "reconcile apply"),
        pytest.raises(LockHeld),
        locked(image.declare(shop=8001), "reconcile apply"),
    ):
        pass


def test_the_last_apply_is_rolled_back(image: Image) -> None:
    image.apply(image.declare(shop=8001))
    before = image.site_file("shop").read_text()
    image.apply(image.declare(shop=8003))

    workspace = image.declare(shop=8003)
    with locked(workspace, "reconcile rollback") as current:
        applies = plan_rollback(current.host.state).applies
        roll_back(current, applies, "reconcile rollback")

    assert before == image.site_file("shop").read_text()


def test_uploads_that_a_symlink_gives_a_second_name_are_not_pruned(image: Image) -> None:
    cat = image.upload("media")
    (image.root / "static").symlink_to(image.root / "media")

    with pytest.raises(ReconcileError) as told:
        image.apply(image.declare_media("static", "media"))

    assert f"protected: {image.root}/media, of which this is another name" in told.value.why
    assert b"a cat" == cat.read_bytes()


def test_uploads_below_what_is_pruned_are_found_behind_their_symlink(image: Image) -> None:
    cat = image.upload("static/uploads")
    (image.root / "media").symlink_to(image.root / "static/uploads")

    with pytest.raises(ReconcileError):
        image.apply(image.declare_media("static", "media"))

    assert b"a cat" == cat.read_bytes()


def test_an_apply_is_not_judged_by_uploads_that_others_write_meanwhile(
    image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Sequence[Probe]] = []

    def send(probes: Sequence[Probe], host: Host, *, timeout_s: float) -> tuple[Check, ...]:
        sent.append(probes)
        return ()

    monkeypatch.setattr("reconcile.workspace.checking.run_probes", send)
    workspace = image.declare_media("www", "uploads")

    verify_sites(workspace, changes=plan_changes(workspace).changes)
    verify_sites(workspace)

    compared = [{p.dir for p in probes if isinstance(p, FilesProbe)} for probes in sent]
    static, uploads = str(image.root / "www"), str(image.root / "uploads")
    assert [{static}, {static, uploads}] == compared


def test_a_mode_that_the_owner_of_uploads_changes_again_stops_no_apply(
    image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = Directory.apply

    def apply_and_close(directory: Directory, host: Host, before: Directory | None) -> None:
        apply(directory, host, before)
        if directory.protected:
            os.chmod(directory.path, 0o700)

    monkeypatch.setattr(Directory, "apply", apply_and_close)

    report = image.report(image.declare_media("www", "uploads"))

    assert ("applied", "") == (report.result, report.error)
    assert (image.root / "www/site.css").exists()
    assert any("uploads changed during the apply" in note for note in report.notes)
