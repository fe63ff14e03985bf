"""The app: Gunicorn's options, its environment, and addresses that nginx can start with."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.config.host_facts import HostFacts
from reconcile.resources.directory import Directory
from reconcile.resources.service import Service
from reconcile.resources.unit import Unit
from reconcile.system.name_lookup import local_names, resolvers
from reconcile.system.services.process.unit_file import parse
from tests.support.host_facts import HOST, compile_text, desired
from tests.support.yaml_examples import errors_at_lines, errors_in

HEAD = "version: 1\nsites:\n  shop:\n    server_names: [shop.test]\n    app:\n"
BASE = 'directory: /srv/a, python: /srv/a/v/bin/python, module: "a:a"'


def app(*lines: str) -> str:
    """A site whose app has these lines."""
    return HEAD + "".join(f"      {line}\n" for line in lines)


def gunicorn(keys: str = "", *lines: str) -> str:
    return app(*lines, f"gunicorn: {{{BASE}, {keys}}}")


def unit(text: str, host: HostFacts = HOST) -> str:
    found = desired(text, host)["unit:/etc/systemd/system/gunicorn-shop.service"]
    assert isinstance(found, Unit)
    return (found.content or b"").decode() if isinstance(found.content, bytes) else found.content


def command(text: str) -> list[str]:
    return list(parse("gunicorn-shop.service", unit(text), runtime_root="/run").command)


def after(words: list[str], option: str) -> str | None:
    return words[words.index(option) + 1] if option in words else None


def test_options_of_gunicorn_reach_its_command_line() -> None:
    keys = "threads: 4, worker_class: gthread, timeout: 2m, max_requests: 1000"

    words = command(gunicorn(keys + ", args: [--log-level, debug, --preload]"))

    assert ("4", "gthread", "120") == tuple(
        after(words, option) for option in ("--threads", "--worker-class", "--timeout")
    )
    assert ("1000", "100") == (
        after(words, "--max-requests"),
        after(words, "--max-requests-jitter"),
    )
    assert ["--log-level", "debug", "--preload", "a:a"] == words[-4:]


@pytest.mark.parametrize(
    ("keys", "line", "timeout"),
    [
        ("", "timeout: 90s", "90"),
        ("timeout: 30s", "timeout: 90s", "30"),
        ("", "websocket: false", None),
    ],
)
def test_the_timeout_of_a_worker_is_by_default_the_apps(
    keys: str, line: str, timeout: str | None
) -> None:
    assert timeout == after(command(gunicorn(keys, line)), "--timeout")


def test_uvicorn_trusts_nginx_on_its_socket_and_nowhere_else() -> None:
    uvicorn = "worker_class: uvicorn.workers.UvicornWorker"

    assert "*" == after(command(gunicorn(uvicorn)), "--forwarded-allow-ips")
    port = gunicorn(uvicorn, "upstream: http://127.0.0.1:8000")
    assert "--forwarded-allow-ips" not in command(port)
    assert "--forwarded-allow-ips" not in command(gunicorn())


REFUSED = {
    **{"--bind=0.0.0.0:80": "bind", "-b": "bind", "-b:80": "bind", "--bin": "bind"},
    **{"--config": "config", "-cx.py": "config", "--user": "user", "-g": "group"},
    **{"--daemon": "daemon", "-D": "daemon", "-RD": "daemon", "--pid=x": "pid"},
    **{"--reload": "reload", "--reload-engine=poll": "reload-engine", "--chdir=/": "chdir"},
    **{"--time=1": "timeout", "--workers=9": "workers", "-k": "worker-class", "--env=A=b": "env"},
    **{"--check-config": "check-config", "--rel": "reload", "--wor": "workers"},
}


@pytest.mark.parametrize(("word", "option"), REFUSED.items())
def test_an_option_that_contradicts_the_unit_is_refused(word: str, option: str) -> None:
    [error] = errors_in(gunicorn(f"args: ['{word}']"))

    assert f"--{option} is refused here" in error


@pytest.mark.parametrize("args", ["[evil:app]", "[--preload, --, x]", "[-]", "[--a=b, evil:app]"])
def test_a_word_that_is_no_option_is_refused(args: str) -> None:
    assert "is not an option" in errors_in(gunicorn(f"args: {args}"))[0]


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1)


@given(TEXTS.map("x".__add__), st.text(alphabet="%$\"'\\ ;{}#ab", min_size=1, max_size=20))
def test_what_the_app_is_given_is_what_is_written(value: str, argument: str) -> None:
    from reconcile.resources.gunicorn_params import GunicornParams
    from reconcile.resources.gunicorn_units import unit_texts

    view = GunicornParams(
        *("shop", "shop.service", None, "/srv/a", "/srv/a/python", "a:a", 3, "127.0.0.1:1"),
        *(None, None, (), 0o022, "www-data"),
        options=(f"--x={argument}",),
        environment=(("A", value), ("B", argument)),
    )

    text = unit_texts(view)[0]

    assert f"--x={argument}" in parse("shop.service", text, runtime_root="/run").command
    lines = [line for line in text.splitlines() if line.startswith("Environment=")]
    pairs = [shlex.split(line.removeprefix("Environment="))[0] for line in lines[1:]]
    assert [f"A={value}", f"B={argument}"] == [pair.replace("%%", "%") for pair in pairs]


@pytest.mark.parametrize("value", ["a\\nUser=root", "a\\u2028b", "\\e[31m"])
def test_a_variable_has_one_line(value: str) -> None:
    assert errors_in(gunicorn(f'environment: {{A: "{value}"}}'))


@pytest.mark.parametrize("name", ["GUNICORN_CMD_ARGS", "LD_PRELOAD", "LISTEN_FDS"])
def test_a_variable_of_the_unit_is_refused(name: str) -> None:
    [error] = errors_at_lines(gunicorn(f"environment: {{{name}: a}}"))

    assert f"6: {name} belongs to the unit" == error


def test_a_variable_that_looks_like_a_secret_is_warned_of() -> None:
    text = gunicorn("environment: {SECRET_KEY: a, DATABASE_URL: b, MODE: c}")

    found = [one for one in compile_text(text).findings if one.rule == "readable-secret"]

    assert ["SECRET_KEY", "DATABASE_URL"] == [one.what.split()[0] for one in found]


def test_the_environment_file_is_in_place_before_the_app() -> None:
    text = gunicorn("environment_file: /etc/a/app.env") + "paths: {/etc/a/app.env: {content: A=b}}"

    service = desired(text)["service:gunicorn-shop.service"]

    assert "EnvironmentFile=/etc/a/app.env\n" in unit(text)
    assert isinstance(service, Service)
    assert "file:/etc/a/app.env" in service.needs


def test_what_the_app_may_write_is_a_directory_of_its_user() -> None:
    text = gunicorn("writable: [/srv/a/instance]")

    found = desired(text)["directory:/srv/a/instance"]

    assert isinstance(found, Directory)
    assert ("www-data", None, True) == (found.user, found.mode, found.protected)
    assert "ReadWritePaths=/srv/a/instance\n" in unit(text)


WRONG = {
    "its own code": (
        gunicorn("writable: [/srv/a]"),
        "6: the app could replace its own code: /srv/a contains `directory`"
        " (name a directory inside of it)",
    ),
    "the system": (
        gunicorn("writable: [/etc]"),
        "6: /etc belongs to the system (use a directory of the app, such as /srv/myapp/instance)",
    ),
    "static files": (
        gunicorn("writable: [/srv/s/x]") + "    locations: {/s/: {role: static, dir: /srv/s}}\n",
        "6: /srv/s/x and the files of /s/ overlap: the app could replace them"
        " (use separate directories)",
    ),
    "no time": (
        app("upstream: http://127.0.0.1:1", "timeout: 0s"),
        "7: timeout has to be a second or more",
    ),
    "no time of Gunicorn": (gunicorn("timeout: 0s"), "6: timeout has to be a second or more"),
    "two addresses of Gunicorn": (
        gunicorn("", "upstream: ['http://127.0.0.1:1', 'http://127.0.0.1:2']"),
        "6: Gunicorn listens on one address (use one, or remove gunicorn)",
    ),
    "a name in a list": (
        app("upstream: ['http://127.0.0.1:1', 'http://backend:2']"),
        "6: backend:2 is a name: nginx would not start while it cannot be resolved"
        " (use IP addresses or sockets in a list)",
    ),
    "an address twice": (
        app("upstream: ['http://127.0.0.1:1', 'http://127.0.0.1:1']"),
        "6: duplicate upstream 127.0.0.1:1",
    ),
    "no address": (app("upstream: []"), '6: "upstream" is empty (add at least one)'),
    "a served environment": (
        gunicorn("environment_file: /srv/m/app.env")
        + "    locations: {/m/: {role: media, dir: /srv/m}}\n",
        "6: `environment_file` is inside the directory that /m/ serves"
        " (keep code and files separate)",
    ),
}


@pytest.mark.parametrize(("text", "error"), WRONG.values(), ids=WRONG.keys())
def test_a_contradiction_is_reported_at_its_place(text: str, error: str) -> None:
    assert [error] == errors_at_lines(text)


NAMED = app("upstream: http://Backend:8000")


def conf(host: HostFacts) -> str:
    file = desired(NAMED, host)["file:/etc/nginx/sites-available/shop.conf"]
    return (getattr(file, "content", None) or b"").decode()


def test_a_name_is_resolved_by_request_unless_the_host_knows_it() -> None:
    resolving = replace(HOST, resolvers=("127.0.0.53",))
    knowing = replace(resolving, local_names=frozenset({"backend"}))

    assert "resolver 127.0.0.53 valid=30s;" in conf(resolving)
    assert "proxy_pass http://$reconcile_upstream:8000;" in conf(resolving)
    assert "proxy_pass http://backend:8000;" in conf(knowing)
    assert ["upstream-name"] == [one.rule for one in compile_text(NAMED, HOST).findings]


def test_name_servers_and_names_are_read() -> None:
    text = (
        "search a\nnameserver 10.0.0.1\nnameserver ::1 # x\nnameserver fe80::1%eth0\nnameserver\n"
    )

    assert ("10.0.0.1", "[::1]") == resolvers(text)
    assert frozenset({"localhost", "a", "b"}) == local_names("127.0.0.1 localhost A # c\n::1 b\n")


def test_code_is_watched_without_what_is_served_written_or_a_virtual_environment() -> None:
    text = (
        app(
            "code: /srv/a",
            f"gunicorn: {{{BASE}, writable: [/srv/a/instance, /srv/else]}}",
        )
        + "    locations:\n"
        "      /static/: {role: static, dir: /srv/a/public, source: /srv/a/static}\n"
        "      /img/: {role: static, dir: /srv/a/img}\n"
        "      /media/: {role: media, dir: /srv/a/media}\n"
    )

    service = desired(text)["service:gunicorn-shop.service"]

    assert isinstance(service, Service)
    assert ((), "/srv/a") == (service.code, service.code_folder)
    assert ("/srv/a/instance", "/srv/a/media", "/srv/a/public") == service.code_excluded
    assert ("/srv/a/img", "/srv/a/static") == service.code_assets
    assert ("/srv/a/v",) == service.code_environments


def test_code_of_a_service_that_others_wrote_is_watched_too() -> None:
    text = app("upstream: http://127.0.0.1:8000", "service: a.service", "code: /srv/a")

    service = desired(text)["service:a.service"]

    assert isinstance(service, Service)
    assert "/srv/a" == service.code_folder


def test_without_code_nothing_is_watched() -> None:
    service = desired(gunicorn())["service:gunicorn-shop.service"]

    assert isinstance(service, Service)
    assert (None, None) == (service.code, service.code_folder)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("upstream: http://127.0.0.1:8000", "code: /srv/a"), "`code` needs the service"),
        (("upstream: http://[::1]:8000", "service: a.service", "code: /usr/lib"), "to the system"),
        (("service: a.service", "upstream: http://[::1]:80", "code: /"), "to the system"),
    ],
)
def test_code_that_cannot_be_watched_is_refused(lines: tuple[str, ...], message: str) -> None:
    assert any(message in error for error in errors_in(app(*lines)))


def test_code_that_is_served_or_written_is_refused() -> None:
    served = app("upstream: http://[::1]:80", "service: a.service", "code: /srv/a/b")
    served += "    locations: {/media/: {role: media, dir: /srv/a}}\n"
    written = app("code: /srv/w/c", f"gunicorn: {{{BASE}, writable: [/srv/w]}}")

    assert any("that /media/ serves" in error for error in errors_in(served))
    assert any("which the app may write" in error for error in errors_in(written))


@pytest.mark.parametrize(("timeout", "connect"), [("30s", "30s"), ("75s", "75s"), ("10m", "75s")])
def test_connecting_takes_75_seconds_at_most(timeout: str, connect: str) -> None:
    text = app("upstream: 'http://127.0.0.1:1'", f"timeout: {timeout}")
    file = desired(text)["file:/etc/nginx/sites-available/shop.conf"]

    assert f"proxy_connect_timeout {connect};" in (getattr(file, "content", None) or b"").decode()
