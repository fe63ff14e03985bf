"""The text of Gunicorn's units: what is said, and that no value can say more than itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.errors import ReconcileError
from reconcile.resources.gunicorn_params import GunicornParams
from reconcile.resources.gunicorn_units import HEADER, quoted, unit_texts
from reconcile.system.services.process.unit_file import parse

VIEW = GunicornParams(
    site="shop",
    service="shop.service",
    socket="shop.socket",
    directory="/srv/shop",
    python="/srv/shop/.venv/bin/python",
    module="app:app",
    workers=3,
    bind="unix:/run/shop/shop.sock",
    user="shop",
    group="shop",
    writable=("/var/www/shop/media",),
    umask=0o022,
    connecting_user="www-data",
)
LINE = st.text(st.characters(min_codepoint=32, exclude_categories=("C", "Z")), min_size=1)


def lines_of(view: GunicornParams) -> list[str]:
    return unit_texts(view)[0].splitlines()


def socket_of(view: GunicornParams) -> list[str]:
    text = unit_texts(view)[1]
    assert text is not None
    return text.splitlines()


def test_units_name_their_manager() -> None:
    assert [HEADER, HEADER] == [lines_of(VIEW)[0], socket_of(VIEW)[0]]


def test_the_socket_is_opened_by_systemd_for_nginx_alone() -> None:
    wanted = {
        "ListenStream=/run/shop/shop.sock",
        "SocketUser=www-data",
        "SocketGroup=shop",
        "SocketMode=0660",
        "RemoveOnStop=yes",
        "WantedBy=sockets.target",
    }

    assert wanted <= set(socket_of(VIEW))
    assert {"Requires=shop.socket", "After=shop.socket network.target"} <= set(lines_of(VIEW))
    assert "--bind" not in unit_texts(VIEW)[0]


def test_an_app_on_a_port_binds_it_itself_and_has_no_socket() -> None:
    service, socket = unit_texts(replace(VIEW, socket=None, bind="127.0.0.1:8000"))

    assert socket is None
    assert "--bind 127.0.0.1:8000 app:app\n" in service


def test_the_app_may_write_what_was_declared_and_nothing_else() -> None:
    service = lines_of(replace(VIEW, writable=("/a", "/b c")))

    assert ["ReadWritePaths=/a", 'ReadWritePaths="/b c"'] == [
        line for line in service if line.startswith("ReadWritePaths=")
    ]
    assert "ProtectSystem=strict" in service


def test_new_uploads_get_the_declared_modes() -> None:
    assert "UMask=0027" in lines_of(replace(VIEW, umask=0o027))


def test_the_working_directory_of_workers_is_never_the_sockets() -> None:
    assert "RuntimeDirectory=shop.work" in lines_of(VIEW)


@pytest.mark.parametrize(
    ("changes", "protect_home", "private_tmp"),
    [
        ({}, "yes", "yes"),
        ({"directory": "/home/ann/shop"}, "read-only", "yes"),
        ({"python": "/root/venv/bin/python"}, "read-only", "yes"),
        ({"writable": ("/home/ann/media",)}, "read-only", "yes"),
        ({"directory": "/homes/shop"}, "yes", "yes"),
        ({"directory": "/tmp/shop"}, "yes", "no"),
        ({"directory": "/tmpfiles"}, "yes", "yes"),
    ],
)
def test_the_sandbox_lets_the_app_see_itself(
    changes: dict[str, object], protect_home: str, private_tmp: str
) -> None:
    service = lines_of(replace(VIEW, **changes))  # type: ignore[arg-type]  # a table of fields

    assert f"ProtectHome={protect_home}" in service
    assert f"PrivateTmp={private_tmp}" in service


def test_without_systemd_gunicorn_binds_the_socket_and_there_is_no_sandbox() -> None:
    service, socket = unit_texts(VIEW, "process")

    assert socket is None
    assert "--bind unix:/run/shop/shop.sock" in service
    assert "Protect" not in service


@pytest.mark.parametrize("field", ["directory", "python", "bind", "user", "group"])
@pytest.mark.parametrize(
    "value", ["/a\nExecStart=/bin/sh", "/a$HOME", '/a"', "/a\\", "/a ", "/a\x1b"]
)
def test_a_value_that_would_add_a_directive_is_refused(field: str, value: str) -> None:
    with pytest.raises(ReconcileError, match="cannot stand in a unit file"):
        unit_texts(replace(VIEW, **{field: value}))  # type: ignore[arg-type]  # a table of fields


def test_a_module_with_a_control_character_is_refused() -> None:
    with pytest.raises(ReconcileError, match="control character"):
        unit_texts(replace(VIEW, module="app:app\nUser=root"))


def test_a_percent_sign_is_no_specifier() -> None:
    service = lines_of(replace(VIEW, directory="/srv/100%h", writable=("/m%n",)))

    assert {"WorkingDirectory=/srv/100%%h", "ReadWritePaths=/m%%n"} <= set(service)


@settings(max_examples=200)
@given(module=LINE)
def test_any_module_reaches_gunicorn_as_one_argument(module: str) -> None:
    service, _ = unit_texts(replace(VIEW, module=module))

    program = parse("shop.service", service, runtime_root="/run")

    assert (VIEW.python, "-m", "gunicorn", "--workers", "3", "--access-logfile", "-", module) == (
        program.command
    )
    assert ((VIEW.python, "-m", "gunicorn", "--check-config", module),) == program.before


@settings(max_examples=200)
@given(words=st.lists(LINE, min_size=1, max_size=5))
def test_quoted_words_are_read_back_as_they_were(words: list[str]) -> None:
    line = " ".join(map(quoted, words))

    program = parse("u.service", f"[Service]\nExecStart={line}\n", runtime_root="/run")

    assert tuple(words) == program.command


def test_the_process_manager_reads_what_is_rendered_for_it() -> None:
    service, _ = unit_texts(replace(VIEW, directory="/srv/my shop 5%"), "process")

    program = parse("shop.service", service, runtime_root="/x/run")

    assert ("/srv/my shop 5%", 0o022, "shop", "shop", "shop.work", True) == (
        program.directory,
        program.umask,
        program.user,
        program.group,
        program.runtime_directory,
        program.notifies,
    )
    assert {"XDG_RUNTIME_DIR": "/x/run/shop.work"} == program.environment


def test_only_the_service_section_counts() -> None:
    text = "ExecStart=/a\n[Unit]\nExecStart=/b\n[Service]\n# ExecStart=/c\n;ExecStart=/d\n"

    with pytest.raises(ReconcileError, match="has no command to run"):
        parse("u.service", text, runtime_root="/run")
