"""The single files that `paths` copies: whose they may be, and where they are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconcile.workspace.planning import plan_changes
from tests.support.image import Image

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others"),
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
