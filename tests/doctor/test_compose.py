"""Compose files as the specification has them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.doctor.compose import (
    ServiceMount,
    ServiceView,
    UnsupportedCompose,
    env_file,
    read_service,
)

ENV = "DATA=/srv/data\nEMPTY=\n"
INTERPOLATED = {
    "plain": ("/srv", "/srv"),
    "a name": ("$DATA/up", "/srv/data/up"),
    "in braces": ("${DATA}/up", "/srv/data/up"),
    "a dollar": ("/$$DATA", "/$DATA"),
    "a default that is not needed": ("${DATA:-/x}", "/srv/data"),
    "a default of what is not set": ("${NONE:-/x}", "/x"),
    "a default of what is empty": ("${EMPTY:-/x}", "/x"),
    "a default for what is not set alone": ("${EMPTY-/x}/y", "/y"),
    "an empty default": ("${NONE:-}/x", "/x"),
}


@pytest.mark.parametrize(("source", "expected"), INTERPOLATED.values(), ids=INTERPOLATED)
def test_a_variable_gets_its_value(source: str, expected: str) -> None:
    [mount] = read(f"['{source}:/m']", env=ENV).mounts

    assert expected == mount.source


@pytest.mark.parametrize(
    "source",
    ["$NONE", "${NONE}", "${NONE:?needed}", "${DATA:+/a}", "${DATA", "${}", "$1", "${DATA!x}",
     "${NONE:-${DATA}}"],
)  # fmt: skip
def test_what_has_no_value_here_is_not_guessed(source: str) -> None:
    with pytest.raises(UnsupportedCompose):
        read(f"['{source}:/m']", env=ENV)


@given(st.text(st.characters(codec="utf-8")))
def test_any_file_is_read_or_refused(text: str) -> None:
    volumes = f"services: {{web: {{volumes: [{text}]}}}}"
    for file in (text, volumes):
        with suppress(UnsupportedCompose):
            read_service(
                (file.encode("utf-8", "replace"),),
                text.encode("utf-8", "replace"),
                "web",
                folder="/",
            )


def test_an_env_file_gives_values() -> None:
    text = '# a comment\nexport A=1\nB = two # why\nC=\'$A\'\nD="${A}0"\nE=\nnone\nG=a#b\nH="a b"\n'

    expected = {"A": "1", "B": "two", "C": "$A", "E": "", "G": "a#b", "H": "a b"}
    assert expected == env_file(text)


def read(volumes: str, *more: str, env: str = "") -> ServiceView:
    text = "\n".join(["services:", "  web:", f"    volumes: {volumes}", *more])
    found = read_service((text.encode(),), env.encode(), "web", folder="/srv/shop")
    assert found is not None
    return found


FORMS = {
    "a path of the host": ("['/data:/app/media']", ServiceMount("bind", "/data", "/app/media")),
    "a path beside the file": (
        "['./m:/app/media']",
        ServiceMount("bind", "/srv/shop/m", "/app/media"),
    ),
    "a path above": ("['../m:/app/media']", ServiceMount("bind", "/srv/m", "/app/media")),
    "a named volume": ("['up:/app/media/']", ServiceMount("volume", "up", "/app/media")),
    "a volume without a name": ("[/app/media]", ServiceMount("volume", "", "/app/media")),
    "read-only": ("['up:/m:ro']", ServiceMount("volume", "up", "/m", read_only=True)),
    "read-only among modes": ("['/d:/m:z,ro']", ServiceMount("bind", "/d", "/m", read_only=True)),
    "writable in words": ("['/d:/m:rw,Z']", ServiceMount("bind", "/d", "/m")),
    "the long form": (
        "[{type: bind, source: ./m, target: /m, bind: {create_host_path: true}}]",
        ServiceMount("bind", "/srv/shop/m", "/m"),
    ),
    "the long form, read-only": (
        "[{type: volume, source: up, target: /m, read_only: true, volume: {nocopy: true}}]",
        ServiceMount("volume", "up", "/m", read_only=True),
    ),
    "a part of a volume": (
        "[{type: volume, source: up, target: /m, volume: {subpath: a/b}}]",
        ServiceMount("volume", "up", "/m", subpath="a/b"),
    ),
    "memory": ("[{type: tmpfs, target: /m, tmpfs: {size: 1000}}]", ServiceMount("tmpfs", "", "/m")),
    "a variable": ("['${WHERE:-/data}:/m']", ServiceMount("bind", "/data", "/m")),
    "a variable of the .env file": ("['$UP:/m']", ServiceMount("bind", "/env", "/m")),
}


@pytest.mark.parametrize(("volumes", "mount"), FORMS.values(), ids=FORMS)
def test_a_volume_is_read_in_every_form(volumes: str, mount: ServiceMount) -> None:
    assert (mount,) == read(volumes, env="UP=/env").mounts


@pytest.mark.parametrize(
    "volumes", ["x", "[1]", "['a:b']", "[{type: bind, source: /a}]", "['~/m:/m']", "[''])"]
)
def test_an_invalid_volume_is_rejected(volumes: str) -> None:
    with pytest.raises(UnsupportedCompose):
        read(volumes)


def test_the_innermost_mount_is_the_one_that_counts() -> None:
    service = read("['/a:/app', '/b:/app/media', '/c:/app/media2']")

    found = service.mount_at("/app/media/2026")

    assert found is not None
    assert ("/b", "2026") == (found.source, found.inside("/app/media/2026"))


FOLDERS = {
    "by its project's folder": ("", "/var/lib/docker/volumes/shop_up/_data"),
    "by its project's name": ("name: Mine", "/var/lib/docker/volumes/mine_up/_data"),
    "by its own name": ("volumes: {up: {name: said}}", "/var/lib/docker/volumes/said/_data"),
    "from elsewhere": ("volumes: {up: {external: true}}", "/var/lib/docker/volumes/up/_data"),
    "a folder by its driver": (
        "volumes: {up: {driver_opts: {type: none, o: bind, device: /data}}}",
        "/data",
    ),
    "another driver": ("volumes: {up: {driver: nfs}}", ""),
}


@pytest.mark.parametrize(("more", "folder"), FOLDERS.values(), ids=FOLDERS)
def test_a_named_volume_lies_in_a_folder_of_the_host(more: str, folder: str) -> None:
    service = read("['up:/m']", more)

    assert folder == service.folder_of(service.mounts[0])


def test_an_override_replaces_what_has_the_same_target() -> None:
    files = (
        b"services: {web: {volumes: ['/a:/m', '/k:/k'], user: '1'}}",
        b"services: {web: {volumes: ['/b:/m'], user: 33:33}}",
    )

    found = read_service(files, b"", "web", folder="/srv/shop")

    assert found is not None
    assert ({"/m": "/b", "/k": "/k"}, "33:33") == (
        {mount.target: mount.source for mount in found.mounts},
        found.user,
    )


def test_anchors_merge_keys_and_other_variables_are_no_hindrance() -> None:
    text = b"""
x-common: &common
  environment: {SECRET: "${NOT_HERE:?}"}
  volumes: ["./m:/m"]
services:
  web: {<<: *common, image: "app:${TAG}"}
"""

    found = read_service((text,), b"", "web", folder="/srv/shop")

    assert found is not None
    assert (ServiceMount("bind", "/srv/shop/m", "/m"),) == found.mounts


def test_what_is_merged_again_and_again_stays_small() -> None:
    levels = [f"x-{n}: &l{n} {{<<: [*l{n - 1}, *l{n - 1}]}}" for n in range(1, 60)]
    text = "\n".join(["x-0: &l0 {user: '7'}", *levels, "services: {web: {<<: *l59}}"])

    found = read_service((text.encode(),), b"", "web", folder="/")

    assert found is not None
    assert "7" == found.user


def test_what_is_not_read_is_named() -> None:
    assert ("extends",) == read("[]", "    extends: {service: base}").unread_keys


def test_a_service_that_does_not_exist_is_not_found() -> None:
    assert read_service((b"services: {}",), b"", "web", folder="/") is None


@pytest.mark.parametrize("text", [b"[]", b"services: []", b"a: [", b"services: {web: 1}", b"\xff"])
def test_a_file_that_is_no_compose_file_is_refused(text: bytes) -> None:
    with pytest.raises(UnsupportedCompose):
        read_service((text,), b"", "web", folder="/")


def test_a_file_that_grows_by_its_aliases_is_refused_at_once() -> None:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    text = "\n".join(["a0: &a0 [x]", *levels, "services: {web: {image: x, volumes: *a39}}"])

    with pytest.raises(UnsupportedCompose):
        read_service((text.encode(),), b"", "web", folder="/")
