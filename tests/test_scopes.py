"""Several configuration files on one host: scopes, renamed sites, and what must not go."""

from __future__ import annotations

import subprocess
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from reconcile.config.diagnostics import ConfigErrors
from reconcile.engine.apply_report import discard_event
from reconcile.engine.history import Actor
from reconcile.engine.model import Plan
from reconcile.engine.rollback import rollback_applies
from reconcile.engine.rollback_plan import plan_rollback
from reconcile.engine.selection import Selection
from reconcile.errors import ReconcileError
from reconcile.workspace import Workspace
from reconcile.workspace.applying import ApplyOptions, apply_plan, locked
from reconcile.workspace.planning import plan_changes
from tests.support.command import COMMAND
from tests.support.image import UNCHECKED, Image

pytestmark = pytest.mark.process


@pytest.fixture
def image(public: Path) -> Image:
    return Image(public)


def scoped(image: Image, scope: str, paths: str = "", **sites: int) -> Workspace:
    """The workspace of a file of its own with that scope; "" for none."""
    written = Path(image.declare(paths, **sites).config.file).read_text()
    file = image.root / f"{scope or 'unscoped'}.yaml"
    head = f"version: 1\nscope: {scope}\n" if scope else "version: 1\n"
    file.write_text(written.replace("version: 1\n", head, 1))
    return Workspace.open(str(file))


def edited(workspace: Workspace, old: str, new: str) -> Workspace:
    file = Path(workspace.config.file)
    file.write_text(file.read_text().replace(old, new))
    return Workspace.open(str(file))


def refusals(plan: Plan) -> list[str]:
    return [error.what for error in plan.refusals]


class TestScope:
    def test_two_files_in_turn_leave_each_other_alone(self, image: Image) -> None:
        shop, blog = scoped(image, "shop", shop=8001), scoped(image, "blog", blog=8002)

        assert ("applied", "applied") == (image.apply(shop), image.apply(blog))

        assert () == plan_changes(shop.refreshed()).changes
        assert () == plan_changes(blog.refreshed()).changes

    def test_two_pipelines_that_apply_at_once_both_succeed(self, image: Image) -> None:
        files = [
            scoped(image, name, "", **{name: port}).config.file
            for name, port in (("shop", 8001), ("blog", 8002))
        ]
        command = (*COMMAND, "apply", "--auto-approve", "--no-verify", "--lock-timeout", "60", "-f")

        running = [subprocess.Popen([*command, file], stdout=subprocess.DEVNULL) for file in files]

        assert [0, 0] == [one.wait(timeout=120) for one in running]
        assert () == plan_changes(Workspace.open(files[0])).changes
        assert () == plan_changes(Workspace.open(files[1])).changes

    def test_a_scope_removes_what_it_dropped_and_nothing_else(self, image: Image) -> None:
        image.apply(scoped(image, "shop", shop=8001))
        image.apply(scoped(image, "blog", blog=8002, news=8003))

        image.apply(scoped(image, "blog", blog=8002))

        present = [image.site_file(name).exists() for name in ("shop", "blog", "news")]
        assert [True, True, False] == present
        assert (image.root / "www" / "shop" / "site.css").exists()

    def test_an_empty_file_empties_its_own_scope_only(self, image: Image) -> None:
        image.apply(scoped(image, "shop", shop=8001))

        assert "no_changes" == image.apply(scoped(image, "blog"))
        with pytest.raises(ReconcileError, match="declares nothing"):
            image.apply(scoped(image, "shop"))

    @pytest.mark.parametrize(
        ("options", "refusal"),
        [
            # Three of nine; of both scopes they are less than a tenth.
            (replace(UNCHECKED, max_delete_share=0.2), "removes or releases 3 of 9 owned"),
            (replace(UNCHECKED, max_delete_share=0.5), ""),
            (replace(UNCHECKED, max_deletes=2), "the limit is 2"),
            (replace(UNCHECKED, max_deletes=3), ""),
        ],
    )
    def test_limits_compare_a_scope_with_itself(
        self, image: Image, options: ApplyOptions, refusal: str
    ) -> None:
        many = "".join(f"  {image.root}/many/{n}: {{content: a}}\n" for n in range(36))
        both = "".join(f"  {image.root}/few/{n}: {{content: a}}\n" for n in range(6))
        image.apply(scoped(image, "large", many))
        image.apply(scoped(image, "small", both))
        less = scoped(image, "small", "\n".join(both.splitlines()[:3]) + "\n")

        with (
            pytest.raises(ReconcileError, match=refusal) if refusal else nullcontext(),
            locked(less, "reconcile apply") as current,
        ):
            apply_plan(current, plan_changes(current), "reconcile apply", options=options)

        assert bool(refusal) == (image.root / "few" / "5").exists()
        assert 36 == len(list((image.root / "many").iterdir()))

    def test_a_file_without_a_scope_is_a_scope_of_its_own(self, image: Image) -> None:
        image.apply(scoped(image, "", shop=8001))
        image.apply(scoped(image, "blog", blog=8002))

        assert () == plan_changes(scoped(image, "", shop=8001)).changes
        image.apply(scoped(image, "", news=8003))
        assert (image.site_file("blog").exists(), image.site_file("shop").exists()) == (True, False)

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ({"shop": 8001}, {"shop": 8001}),
            ("  {root}/etc/a.conf: {{content: a}}\n", "  {root}/etc/a.conf: {{content: a}}\n"),
            ("  {root}/etc/a: {{owner: assets}}\n", "  {root}/etc/a: {{owner: assets}}\n"),
            ({"shop": 8001}, "  {root}/www/shop/robots.txt: {{content: a}}\n"),
            ("  {root}/www/shop/robots.txt: {{content: a}}\n", {"shop": 8001}),
            ("  {root}/a: {{content: a}}\n", "  {root}/a: {{link: /b}}\n"),
        ],
    )
    def test_a_path_that_two_scopes_claim_is_refused_with_both_files(
        self, image: Image, first: str | dict[str, int], second: str | dict[str, int]
    ) -> None:
        one, two = (
            scoped(image, name, claim.format(root=image.root))
            if isinstance(claim, str)
            else scoped(image, name, "", **claim)
            for name, claim in (("one", first), ("two", second))
        )
        image.apply(one)

        plan = plan_changes(two)

        assert 1 == plan.exit_code(detailed=True)
        assert {"is claimed by two scopes"} == {one.contradiction for one in plan.conflicts}
        values = " ".join(plan.conflicts[0].values)
        assert f"the scope one ({image.root}/one.yaml)" in values
        assert f"the scope two ({image.root}/two.yaml)" in values
        with pytest.raises(ReconcileError, match="conflicting declarations"):
            image.apply(two)

    def test_a_directory_above_both_is_shared_until_neither_needs_it(self, image: Image) -> None:
        image.apply(scoped(image, "one", f"  {image.root}/both/one: {{content: a}}\n"))
        image.apply(scoped(image, "two", f"  {image.root}/both/two: {{content: a}}\n"))

        image.apply(scoped(image, "one", f"  {image.root}/one: {{content: a}}\n"))

        assert (image.root / "both" / "two").exists()
        assert () == plan_changes(scoped(image, "two").refreshed()).unknown

    def test_what_had_no_scope_passes_over_once_its_file_has_one(self, image: Image) -> None:
        unnamed = scoped(image, "", shop=8001)
        image.apply(unnamed)

        named = edited(unnamed, "version: 1\n", "version: 1\nscope: shop\n")

        assert () == plan_changes(named).changes
        image.apply(named)
        image.apply(edited(named, "shop:\n", "news:\n"))
        assert not image.site_file("shop").exists()

    def test_a_rollback_restores_the_rows_of_every_scope(self, image: Image) -> None:
        image.apply(scoped(image, "shop", shop=8001))
        blog = scoped(image, "blog", blog=8002)
        image.apply(blog)

        applies = plan_rollback(blog.host.state).applies
        rollback_applies(blog.refreshed().host, applies, Actor(), discard_event)

        assert not image.site_file("blog").exists()
        assert () == plan_changes(scoped(image, "shop", shop=8001)).changes
        assert {} == dict(blog.refreshed().ledger.rows)

    def test_uploads_of_one_scope_are_protected_from_the_other(self, image: Image) -> None:
        image.upload("www/media")
        media = edited(
            scoped(image, "one", shop=8001),
            f"role: static, dir: {image.root}/www/shop, source: {image.root}/app",
            f"role: media, dir: {image.root}/www/media",
        )
        image.apply(media)

        plan = plan_changes(scoped(image, "two", f"  {image.root}/www/media/a: {{content: a}}\n"))

        assert 1 == plan.exit_code(detailed=False)


class TestMovedFrom:
    def test_a_renamed_site_destroys_nothing(self, image: Image) -> None:
        before = image.declare(shop=8001)
        image.apply(before)

        after = edited(before, "  shop:\n", "  store:\n    moved_from: shop\n")
        plan = plan_changes(after)

        assert 0 == plan.count("delete") == plan.count("create")
        assert "moves from" in " ".join(change.reason for change in plan.changes)
        assert "site-dropped" not in {finding.rule for finding in plan.findings}
        assert "applied" == image.apply(after)
        assert (False, True) == (
            image.site_file("shop").exists(),
            image.site_file("store").exists(),
        )
        assert () == plan_changes(after.refreshed()).changes
        assert () == plan_changes(edited(after, "    moved_from: shop\n", "")).changes

    def test_a_host_that_never_had_the_old_name_gets_the_new_one(self, image: Image) -> None:
        after = edited(image.declare(shop=8001), "  shop:\n", "  store:\n    moved_from: shop\n")

        assert 0 < plan_changes(after).count("create")
        assert "applied" == image.apply(after)

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("  shop:\n", "  shop:\n    moved_from: blog\n", "blog is still declared"),
            ("  shop:\n", "  shop:\n    moved_from: shop\n", "shop is still declared"),
            ("    listen", "    moved_from: old\n    listen", "comes from old, too"),
        ],
    )
    def test_an_old_name_is_free_and_used_once(
        self, image: Image, old: str, new: str, message: str
    ) -> None:
        with pytest.raises(ConfigErrors, match=message):
            edited(image.declare(shop=8001, blog=8002), old, new)


class TestPreventDestroy:
    PATH = "  {root}/a: {{content: a, prevent_destroy: true}}\n"

    def test_a_site_is_kept_although_the_file_no_longer_has_it(self, image: Image) -> None:
        kept = edited(
            image.declare(shop=8001, blog=8002), "  shop:\n", "  shop:\n    prevent_destroy: true\n"
        )
        image.apply(kept)

        plan = plan_changes(image.declare(blog=8002))

        assert 1 == plan.exit_code(detailed=True)
        assert ["sites.shop must not be removed: it was applied with `prevent_destroy`."] == (
            refusals(plan)
        )
        with pytest.raises(ReconcileError, match=r"sites\.shop must not be removed"):
            image.apply(image.declare(blog=8002))
        assert image.site_file("shop").exists()

    def test_a_path_and_a_location_are_kept_too(self, image: Image) -> None:
        kept = edited(
            image.declare(self.PATH.format(root=image.root), shop=8001),
            "role: static,",
            "role: static, prevent_destroy: true,",
        )
        image.apply(kept)

        moved = plan_changes(edited(kept, "/www/shop", "/www/new"))
        without_location = plan_changes(edited(kept, "/static/:", "/files/:"))
        without_path = plan_changes(image.declare(shop=8001))

        assert f"paths.{image.root}/a" in refusals(without_path)[0]
        assert "sites.shop.locations./static/" in refusals(moved)[0]
        assert "sites.shop.locations./static/" in " ".join(refusals(without_location))

    def test_it_ends_with_an_apply_without_it(self, image: Image) -> None:
        image.apply(image.declare(self.PATH.format(root=image.root), shop=8001))

        image.apply(image.declare(f"  {image.root}/a: {{content: a}}\n", shop=8001))

        assert [] == refusals(plan_changes(image.declare(shop=8001)))

    def test_no_rollback_removes_it_until_an_apply_without_it(self, image: Image) -> None:
        kept = image.declare(self.PATH.format(root=image.root), shop=8001)
        image.apply(kept)
        command = [*COMMAND, "rollback", "--auto-approve", "-f", kept.config.file, "--to", "0"]

        refused = subprocess.run(command, capture_output=True, text=True)
        stays = Path(image.root, "a").exists()
        image.apply(image.declare(f"  {image.root}/a: {{content: a}}\n", shop=8001))
        done = subprocess.run(command, capture_output=True, text=True)

        assert (1, True) == (refused.returncode, stays)
        assert f"paths.{image.root}/a must not be removed" in refused.stderr
        assert (0, False) == (done.returncode, Path(image.root, "a").exists()), done.stderr

    def test_a_rename_of_it_is_rolled_back(self, image: Image) -> None:
        guarded = "  shop:\n    prevent_destroy: true\n"
        before = edited(image.declare(shop=8001), "  shop:\n", guarded)
        image.apply(before)
        image.apply(edited(before, "  shop:\n", "  store:\n    moved_from: shop\n"))

        plan_rollback(before.host.state).refuse_guarded(before.refreshed().ledger.all_rows)

    def test_a_plan_of_another_part_is_not_refused(self, image: Image) -> None:
        image.apply(image.declare(self.PATH.format(root=image.root), shop=8001))
        plan = plan_changes(image.declare(shop=8003), Selection(sites=("shop",)))

        assert [] == refusals(plan)

    def test_a_renamed_site_keeps_it(self, image: Image) -> None:
        before = edited(
            image.declare(shop=8001), "  shop:\n", "  shop:\n    prevent_destroy: true\n"
        )
        image.apply(before)

        after = edited(before, "  shop:\n", "  store:\n    moved_from: shop\n")

        assert [] == refusals(plan_changes(after))


def test_the_units_of_a_renamed_service_pass_over(image: Image) -> None:
    workspace = image.declare(shop=8001)
    service = "services:\n  {name}: {{command: [/bin/true]{more}}}\n"
    text = Path(workspace.config.file).read_text()
    renamed = service.format(name="indexer", more=", moved_from: worker")
    Path(workspace.config.file).write_text(text + renamed)

    moves = Workspace.open(workspace.config.file).compiled.moves.refs

    names = {
        (old.name.rpartition("/")[2], new.name.rpartition("/")[2]) for old, new in moves.items()
    }
    assert ("worker.service", "indexer.service") in names
