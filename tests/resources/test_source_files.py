"""The single files that `paths` copies: whose they may be, and where they are read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from reconcile.resources.tree import Tree
from reconcile.workspace import Workspace
from reconcile.workspace.planning import plan_changes
from tests.support.image import Image
from tests.support.needs_root import needs_root

pytestmark = [
    pytest.mark.process,
    needs_root("gives files to others"),
]

ROOT, DEPLOY, OTHER = 0, 9, 8


@pytest.fixture
def image(public: Path) -> Image:
    return Image(public)


@pytest.fixture
def theirs(public: Path) -> Path:
    """A folder of the user DEPLOY, who has moved root's secret into it."""
    folder = public / "deploy/app"
    folder.mkdir(parents=True)
    for path in (folder.parent, folder):
        os.chown(path, DEPLOY, DEPLOY)
    return folder


def give(path: Path, uid: int, gid: int, mode: int, text: str = "secret") -> Path:
    path.write_text(text)
    os.chown(path, uid, gid)
    path.chmod(mode)
    return path


class TestAFileThatItsOwnerCannotHavePutThere:
    @pytest.mark.parametrize(
        ("uid", "gid", "mode"),
        [(ROOT, ROOT, 0o600), (ROOT, ROOT, 0o640), (OTHER, OTHER, 0o600), (OTHER, OTHER, 0o660)],
    )
    def test_is_reported_and_not_published_while_the_rest_is(
        self, uid: int, gid: int, mode: int, theirs: Path, image: Image
    ) -> None:
        source = give(theirs / "x.env", uid, gid, mode)
        workspace = image.declare(
            f"  {image.root}/x.txt: {{source: {source}}}\n"
            f"  {image.root}/y.txt: {{content: other}}\n"
        )

        report = image.report(workspace)

        assert ("applied", "") == (report.result, report.why)
        assert not (image.root / "x.txt").exists()
        assert "other" == (image.root / "y.txt").read_text()
        [finding] = [one for one in report.plan.findings if one.rule == "private-source"]
        assert str(source) in finding.what
        assert f"chmod o+r {source}" in finding.fix

    def test_changes_no_file_of_nginx(self, theirs: Path, image: Image) -> None:
        conf = image.root / "nginx/conf.d/own.conf"
        conf.write_text("# as it was\n")
        source = give(theirs / "own.conf", ROOT, ROOT, 0o600, "# secret\n")

        image.apply(image.declare(f"  {conf}: {{source: {source}}}\n", shop=8001))

        assert "# as it was\n" == conf.read_text()

    def test_behind_a_link_of_roots_is_found(self, theirs: Path, image: Image) -> None:
        source = give(theirs / "x.env", ROOT, ROOT, 0o600)
        (image.root / "link").symlink_to(source)

        image.apply(image.declare(f"  {image.root}/x.txt: {{source: {image.root}/link}}\n"))

        assert not (image.root / "x.txt").exists()

    @pytest.mark.parametrize("key", ["error_pages: {{404: {0}}}", "maintenance: {{page: {0}}}"])
    def test_is_no_page_either(self, key: str, theirs: Path, image: Image) -> None:
        source = give(theirs / "page.html", ROOT, ROOT, 0o600)
        copied = (
            f"      /static/: {{role: static, dir: {image.root}/www, source: {image.root}/app}}"
        )
        text = SITE.format(root=image.root, locations=copied)
        (image.root / "reconcile.yaml").write_text(f"{text}\n    {key.format(source)}\n")

        plan = plan_changes(Workspace.open(str(image.root / "reconcile.yaml")))

        [finding] = [one for one in plan.findings if one.rule == "private-source"]
        assert str(source) in finding.what
        assert not [change for change in plan.changes if change.ref.name.endswith(".html")]

    def test_leaves_what_an_earlier_version_published_owned(
        self, theirs: Path, image: Image
    ) -> None:
        source = give(theirs / "x.env", DEPLOY, DEPLOY, 0o600, "public")
        declared = f"  {image.root}/x.txt: {{source: {source}}}\n"
        image.apply(image.declare(declared))
        source.unlink()
        give(source, ROOT, ROOT, 0o600)

        assert "no_changes" == image.apply(image.declare(declared))
        assert "public" == (image.root / "x.txt").read_text()

        image.apply(image.declare(f"  {image.root}/y.txt: {{content: other}}\n"))
        assert not (image.root / "x.txt").exists()

    @pytest.mark.parametrize(
        ("uid", "gid", "mode"),
        [(DEPLOY, DEPLOY, 0o600), (ROOT, ROOT, 0o644), (ROOT, DEPLOY, 0o640)],
    )
    def test_is_no_ordinary_file_of_theirs(
        self, uid: int, gid: int, mode: int, theirs: Path, image: Image
    ) -> None:
        source = give(theirs / "x.env", uid, gid, mode)

        image.apply(image.declare(f"  {image.root}/x.txt: {{source: {source}}}\n"))

        assert "secret" == (image.root / "x.txt").read_text()

    def test_is_none_where_only_root_writes(self, image: Image) -> None:
        source = give(image.root / "x.env", ROOT, ROOT, 0o600)

        image.apply(image.declare(f"  {image.root}/x.txt: {{source: {source}}}\n"))

        assert "secret" == (image.root / "x.txt").read_text()


class TestASourceThatTheSameApplyMakes:
    """It is read as the apply will leave it: one apply is enough."""

    def _applied(self, image: Image, paths: str) -> str:
        workspace = image.declare(paths)
        report = image.report(workspace)
        assert ("applied", "") == (report.result, report.error)
        assert () == plan_changes(image.declare(paths)).changes
        return (image.root / "x.txt").read_text()

    @pytest.mark.parametrize("before", ["absent", "turned"])
    def test_behind_a_link(self, before: str, image: Image) -> None:
        for name in ("rel1", "rel2"):
            (image.root / name).mkdir()
            (image.root / name / "x").write_text(name)
        if before == "turned":
            (image.root / "cur").symlink_to(image.root / "rel1")

        paths = (
            f"  {image.root}/cur: {{link: {image.root}/rel2}}\n"
            f"  {image.root}/x.txt: {{source: {image.root}/cur/x}}\n"
        )

        assert "rel2" == self._applied(image, paths)

    @pytest.mark.parametrize("names", [("a", "b", "x.txt"), ("x.txt", "b", "a")])
    def test_that_is_a_copy_of_another(self, names: tuple[str, ...], image: Image) -> None:
        (image.root / "b").write_text("old")
        declared = {
            "a": f"  {image.root}/a: {{content: new}}\n",
            "b": f"  {image.root}/b: {{source: {image.root}/a}}\n",
            "x.txt": f"  {image.root}/x.txt: {{source: {image.root}/b}}\n",
        }

        assert "new" == self._applied(image, "".join(declared[name] for name in names))


SITE = """
version: 1
host:
  nginx: {{config: {root}/nginx/nginx.conf}}
  service_manager: none
  state_dir: {root}/state
sites:
  shop:
    server_names: [shop.example]
    listen: [8001]
    locations:
{locations}
"""


class TestASourceFolderWhosePermissionsTheSameApplySets:
    """Its files get other ctimes meanwhile, by which they are known otherwise."""

    def _workspace(self, image: Image, source: str, tree: str, owner: str = "daemon") -> Workspace:
        ours = f"{{user: {owner}, group: {owner}, dirs: '0755', files: '0644'}}"
        root = image.root
        locations = (
            f"      /shared/: {{role: static, dir: {root}/{tree}, owner: {ours}}}\n"
            f"      /static/: {{role: static, dir: {root}/www, source: {root}/{source}}}"
        )
        file = image.root / "reconcile.yaml"
        file.write_text(SITE.format(root=image.root, locations=locations))
        return Workspace.open(str(file))

    @pytest.mark.parametrize(
        ("source", "tree"),
        [("app", "app"), ("app/css", "app"), ("app", "app/css"), ("link", "app"), ("app", "link")],
    )
    @pytest.mark.parametrize("owner", ["daemon", "root"])
    def test_is_published_at_once(self, source: str, tree: str, owner: str, image: Image) -> None:
        (image.root / "app/css").mkdir()
        (image.root / "link").symlink_to(image.root / "app")
        for name in ("app/css/a.css", "app/site.css"):
            (image.root / name).write_text(name)
            (image.root / name).chmod(0o664)

        report = image.report(self._workspace(image, source, tree, owner))

        assert ("applied", "") == (report.result, report.why)
        assert () == plan_changes(self._workspace(image, source, tree, owner)).changes
        assert "app/css/a.css" in [path.read_text() for path in image.root.glob("www/**/a.css")]

    def test_is_not_if_its_content_changed_meanwhile(
        self, image: Image, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (image.root / "app/site.css").write_text("aaa")
        (image.root / "app/site.css").chmod(0o664)
        then = (image.root / "app/site.css").stat()
        apply = Tree.apply

        def apply_and_edit(tree: Tree, *arguments: Any) -> None:
            apply(tree, *arguments)
            (image.root / "app/site.css").write_text("bbb")
            os.utime(image.root / "app/site.css", ns=(then.st_atime_ns, then.st_mtime_ns))

        monkeypatch.setattr(Tree, "apply", apply_and_edit)

        report = image.report(self._workspace(image, "app", "app"))

        assert ("rolled_back", True) == (report.result, report.is_stale)


class TestASourceFolderInWhichTheSameApplyWrites:
    """The copy is planned from what the folder will hold."""

    def _workspace(self, image: Image, paths: str, more: str = "") -> Workspace:
        copied = f"{{role: static, dir: {image.root}/www, source: {image.root}/app{more}}}"
        text = SITE.format(root=image.root, locations=f"      /static/: {copied}")
        file = image.root / "reconcile.yaml"
        file.write_text(text + (f"paths:\n{paths}" if paths else ""))
        return Workspace.open(str(file))

    def _applied(self, image: Image, paths: str, more: str = "") -> None:
        report = image.report(self._workspace(image, paths, more))
        assert ("applied", "") == (report.result, report.why)
        assert () == plan_changes(self._workspace(image, paths, more)).changes

    def _declared(self, image: Image, *names: str, content: str = "new") -> str:
        return "".join(f"  {image.root}/{name}: {{content: {content}}}\n" for name in names)

    @pytest.mark.parametrize("name", ["app/new.css", "app/deep/new.css", "link/new.css"])
    @pytest.mark.parametrize("more", ["", ", prune: true", ", precompress: [gzip]"])
    def test_a_new_file_is_published_at_once(self, name: str, more: str, image: Image) -> None:
        (image.root / "link").symlink_to(image.root / "app")

        self._applied(image, self._declared(image, name, content="x" * 2_000), more)

        [copy] = image.root.glob("www/**/new.css")
        assert 2_000 == copy.stat().st_size

    @pytest.mark.parametrize("more", ["", ", prune: true", ", precompress: [gzip]"])
    def test_and_so_are_its_change_and_its_removal(self, more: str, image: Image) -> None:
        for content in ("one" * 900, "two" * 900):
            self._applied(image, self._declared(image, "app/new.css", content=content), more)
            assert content == (image.root / "www/new.css").read_text()

        self._applied(image, "", more)

        assert ("prune" in more) != (image.root / "www/new.css").exists()

    def test_what_the_copy_holds_already_is_written_once_only(self, image: Image) -> None:
        self._applied(image, "")
        (image.root / "www/new.css").write_text("new")
        before = (image.root / "www/new.css").stat().st_ino

        self._applied(image, self._declared(image, "app/new.css"))

        assert before == (image.root / "www/new.css").stat().st_ino

    def test_a_new_directory_is_made_in_the_copy_too(self, image: Image) -> None:
        self._applied(image, f"  {image.root}/app/empty: {{owner: {{dirs: '0755'}}}}\n")

        assert (image.root / "www/empty").is_dir()

    def test_a_hidden_file_is_not(self, image: Image) -> None:
        self._applied(image, self._declared(image, "app/.env", "app/.git/config"))

        assert {"site.css", "health.txt"} == {path.name for path in image.root.glob("www/*")}
