"""What not even root can change is known to the plan: nothing is begun, nothing rolled back."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from reconcile.errors import ReconcileError
from reconcile.workspace import Workspace
from reconcile.workspace.planning import plan_changes
from tests.support.image import Image
from tests.support.needs_root import needs_root

pytestmark = [
    pytest.mark.process,
    needs_root("sets these flags and mounts"),
]


def ran(*command: str | Path) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def flagged(flag: str, path: Path) -> Iterator[None]:
    ran("chattr", f"+{flag}", path)
    try:
        yield
    finally:
        ran("chattr", f"-{flag}", path)


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    ran("mount", "--bind", path, path)
    try:
        ran("mount", "-o", "remount,bind,ro", path)
        yield
    finally:
        ran("umount", path)


@contextmanager
def full(path: Path) -> Iterator[None]:
    ran("mount", "-t", "tmpfs", "-o", "size=16k", "none", path)
    try:
        yield
    finally:
        ran("umount", path)


@pytest.fixture
def image(public: Path) -> Image:
    image = Image(public)
    (public / "etc" / "sub").mkdir(parents=True)
    assert "applied" == image.apply(declared(image, "one"))
    return image


def declared(image: Image, text: str, owner: str = "daemon") -> Workspace:
    return image.declare(
        f"  {image.root}/etc/app.env: {{content: {text}}}\n"
        f"  {image.root}/etc/sub: {{owner: {{user: {owner}, group: {owner}}}}}\n",
        shop=8001,
    )


def refusal(image: Image, workspace: Workspace) -> str:
    """Why plan and apply refuse alike; nothing was begun."""
    before = sorted((image.root / "state/journal").glob("*"))
    planned = "; ".join(error.why for error in plan_changes(workspace).refusals)
    with pytest.raises(ReconcileError) as refused:
        image.apply(workspace)
    assert refused.value.why in planned
    assert before == sorted((image.root / "state/journal").glob("*"))
    return planned


@pytest.mark.parametrize(
    ("flag", "name", "words"),
    [
        ("i", "etc/app.env", "immutable"),
        ("a", "etc", "append-only"),
    ],
)
def test_a_file_that_cannot_be_replaced_refuses_its_plan(
    flag: str, name: str, words: str, image: Image
) -> None:
    with flagged(flag, image.root / name):
        why = refusal(image, declared(image, "two"))

    assert f"{image.root}/{name} is {words}, even for root (chattr +{flag})" == why


def test_a_file_that_cannot_be_removed_refuses_its_plan(image: Image) -> None:
    with flagged("i", image.root / "etc/app.env"):
        why = refusal(image, image.declare(shop=8001))

    assert f"{image.root}/etc/app.env is immutable, even for root (chattr +i)" == why


def test_what_is_not_changed_may_have_any_flag(image: Image) -> None:
    with flagged("i", image.root / "etc/app.env"), flagged("i", image.root / "www/shop/site.css"):
        assert "applied" == image.apply(declared(image, "one", owner="www-data"))


def test_an_owner_is_changed_in_a_directory_that_is_immutable(image: Image) -> None:
    with flagged("i", image.root / "etc"):
        assert "applied" == image.apply(declared(image, "one", owner="www-data"))


def test_a_directory_that_cannot_get_an_owner_refuses_its_plan(image: Image) -> None:
    with flagged("i", image.root / "etc/sub"):
        why = refusal(image, declared(image, "one", owner="www-data"))

    assert f"{image.root}/etc/sub is immutable, even for root (chattr +i)" == why


@pytest.mark.parametrize("name", ["www/shop/site.css", "www/shop"])
def test_a_copied_file_that_cannot_be_replaced_refuses_its_plan(name: str, image: Image) -> None:
    (image.root / "app/site.css").write_text("p {}\n")

    with flagged("i", image.root / name):
        why = refusal(image, declared(image, "one"))

    assert f"{image.root}/{name} is immutable, even for root (chattr +i)" == why


def test_a_hundred_files_of_one_cause_are_one_refusal(image: Image) -> None:
    for number in range(100):
        (image.root / "app" / f"{number}.css").write_text("p {}\n")

    with flagged("i", image.root / "www/shop"):
        refusals = plan_changes(declared(image, "one")).refusals

    assert 1 == len(refusals)


@pytest.mark.parametrize(
    ("name", "hinder", "words"),
    [
        ("etc", read_only, "the filesystem is mounted read-only"),
        ("state", read_only, "the filesystem is mounted read-only"),
        ("state", full, "no space or no inodes are left on the filesystem"),
    ],
)
def test_a_filesystem_that_takes_no_file_refuses_the_plan(
    name: str, hinder: Callable[[Path], Iterator[None]], words: str, image: Image
) -> None:
    with ExitStack() as hindered:
        hindered.enter_context(hinder(image.root / name))

        assert words == refusal(image, declared(image, "two"))


def test_a_plan_without_changes_asks_for_no_space(image: Image) -> None:
    with read_only(image.root / "etc"):
        assert () == plan_changes(declared(image, "one")).refusals
