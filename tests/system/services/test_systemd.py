"""systemd on a booted Debian host."""

from __future__ import annotations

import pytest

from reconcile.engine.digest import digest
from tests.lab import DebianHost
from tests.lab.fixtures import Boot
from tests.support.python_on_host import RefusedError, inside

pytestmark = pytest.mark.host

SLEEP = "[Service]\nExecStart=/usr/bin/sleep 1d\n[Install]\nWantedBy=multi-user.target\n"


@pytest.fixture(scope="module")
def debian(module_hosts: Boot) -> DebianHost:
    """One host for the whole module: every test has a unit of its own."""
    return module_hosts()


def write_unit(debian: DebianHost, name: str, text: str = SLEEP) -> str:
    debian.write(f"/etc/systemd/system/{name}", text)
    debian.run("systemctl", "daemon-reload")
    return name


def property_of(debian: DebianHost, unit: str, name: str) -> str:
    return debian.run("systemctl", "show", "--value", f"--property={name}", unit).stdout.strip()


def test_one_call_reads_all_units(debian: DebianHost) -> None:
    told = inside(
        debian,
        """
        calls = []
        run = host.commands.run
        host.commands.run = lambda argv, **options: calls.append(argv) or run(argv, **options)
        services.prefetch(["nginx.service", "nope.service"])
        nginx, nope = map(services.status, ("nginx.service", "nope.service"))
        return [len(calls), nginx.active, nginx.enabled, nope.loaded]
        """,
    )

    assert [1, True, True, False] == told


def test_a_prefetched_reading_is_used_once(debian: DebianHost) -> None:
    unit = write_unit(debian, "anew.service")

    told = inside(
        debian,
        """
        services.prefetch([unit])
        before = services.status(unit).active
        host.commands.run(("systemctl", "start", unit))
        return [before, services.status(unit).active]
        """,
        unit=unit,
    )

    assert [False, True] == told


def test_start_enable_stop_and_disable_hold_when_they_return(debian: DebianHost) -> None:
    unit = write_unit(debian, "whole.service")

    inside(debian, "services.enable(unit); services.start(unit)", unit=unit)
    up = [property_of(debian, unit, name) for name in ("ActiveState", "UnitFileState")]
    inside(debian, "services.stop(unit); services.disable(unit)", unit=unit)
    down = [property_of(debian, unit, name) for name in ("ActiveState", "UnitFileState")]

    assert [["active", "enabled"], ["inactive", "disabled"]] == [up, down]


def test_a_static_unit_is_enabled_where_its_socket_is(debian: DebianHost) -> None:
    unit = write_unit(debian, "answering.service", SLEEP.partition("[Install]")[0])
    write_unit(
        debian,
        "answering.socket",
        "[Socket]\nListenStream=/run/answering.sock\n[Install]\nWantedBy=sockets.target\n",
    )

    before = inside(debian, "return services.status(unit).enabled", unit=unit)
    debian.run("systemctl", "enable", "answering.socket")

    assert before is None
    assert inside(debian, "return services.status(unit).enabled", unit=unit) is True


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "enable", "reload"])
def test_a_unit_that_does_not_exist_is_an_error_with_a_fix(debian: DebianHost, verb: str) -> None:
    with pytest.raises(RefusedError) as refused:
        inside(debian, "getattr(services, verb)('absent.service')", verb=verb)

    assert f"systemctl {verb} absent.service failed" == refused.value.what
    assert refused.value.why
    assert "Install the package of absent.service" in refused.value.fix


def test_a_masked_unit_is_refused_with_the_command_to_unmask_it(debian: DebianHost) -> None:
    debian.run("systemctl", "mask", "masked.service")

    with pytest.raises(RefusedError) as refused:
        inside(debian, "services.start('masked.service')")

    assert "masked" in refused.value.why
    assert "systemctl unmask masked.service" in refused.value.fix


def test_a_unit_that_fails_is_reported_with_its_last_output(debian: DebianHost) -> None:
    shell = "for i in $$(seq 500); do echo line $$i; done; echo the disk is full; exit 3"
    text = f"[Service]\nType=oneshot\nExecStart=/bin/sh -c '{shell}'\n"
    unit = write_unit(debian, "wordy.service", text)

    with pytest.raises(RefusedError) as refused:
        inside(debian, "services.start(unit)", unit=unit)

    assert "the disk is full" in refused.value.why
    assert len(refused.value.why.splitlines()) <= 20


def test_only_output_of_this_start_is_reported(debian: DebianHost) -> None:
    text = "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo {}; exit 3'\n"
    unit = write_unit(debian, "again.service", text.format("old-words"))
    debian.run("systemctl", "start", unit, check=False)
    write_unit(debian, unit, text.format("new-words"))

    with pytest.raises(RefusedError) as refused:
        inside(debian, "services.start(unit)", unit=unit)

    assert "new-words" in refused.value.why
    assert "old-words" not in refused.value.why


def test_a_service_that_ends_right_after_its_start_is_an_error(debian: DebianHost) -> None:
    text = "[Service]\nExecStart=/bin/sh -c 'sleep 0.1; echo gone again; exit 1'\n"
    unit = write_unit(debian, "brief.service", text)

    with pytest.raises(RefusedError) as refused:
        inside(debian, "services.start(unit)", unit=unit)

    assert "brief.service does not stay active: failed (exit-code)" == refused.value.what
    assert "gone again" in refused.value.why


def test_a_service_that_restarts_again_and_again_is_not_up(debian: DebianHost) -> None:
    text = "[Service]\nExecStart=/bin/sh -c 'exit 1'\nRestart=always\nRestartSec=20ms\n"
    unit = write_unit(debian, "loop.service", text)

    with pytest.raises(RefusedError, match="does not stay active"):
        inside(debian, "services.start(unit)", unit=unit)


def test_a_fixed_service_starts_although_it_has_failed_too_often(debian: DebianHost) -> None:
    unit = write_unit(debian, "mended.service", "[Service]\nExecStart=/bin/false\n")
    for _ in range(7):
        debian.run("systemctl", "start", unit, check=False)
    debian.write(f"/etc/systemd/system/{unit}", SLEEP)
    debian.run("systemctl", "daemon-reload")

    inside(debian, "services.start(unit)", unit=unit)

    assert "active" == property_of(debian, unit, "ActiveState")


def test_a_unit_that_cannot_be_enabled_is_an_error(debian: DebianHost) -> None:
    unit = write_unit(debian, "static.service", "[Service]\nExecStart=/usr/bin/sleep 1d\n")

    with pytest.raises(RefusedError, match=r"static\.service was not enabled"):
        inside(debian, "services.enable(unit)", unit=unit)

    assert inside(debian, "return services.status(unit).enabled", unit=unit) is None


STARTED_FROM = "return services.started_from(services.status(unit))"


@pytest.mark.parametrize(
    ("changed", "reload"),
    # A first drop-in is nothing to systemd itself until it is told to reload.
    [("{unit}", True), ("{unit}", False), ("{unit}.d/more.conf", True)],
)
def test_what_somebody_else_started_is_older_than_a_change_until_it_is_restarted(
    debian: DebianHost, changed: str, reload: bool
) -> None:
    unit = write_unit(debian, f"older{len(changed)}{reload}.service")
    debian.run("systemctl", "start", unit)
    fresh = inside(debian, STARTED_FROM, unit=unit)

    path = f"/etc/systemd/system/{changed.format(unit=unit)}"
    debian.write(path, "[Unit]\nDescription=changed\n" + (SLEEP if path.endswith(unit) else ""))
    if reload:
        debian.run("systemctl", "daemon-reload")
    edited = inside(debian, STARTED_FROM, unit=unit)
    inside(debian, "services.daemon_reload(); services.restart(unit)", unit=unit)

    again = inside(debian, STARTED_FROM, unit=unit)
    there = digest(debian.read(f"/etc/systemd/system/{unit}"))
    assert (digest(SLEEP.encode()), None, there) == (fresh, edited, again)


@pytest.mark.parametrize("changed", ["{unit}", "{unit}.d/more.conf"])
def test_what_is_remembered_of_a_start_holds_for_this_run_and_these_drop_ins(
    debian: DebianHost, changed: str
) -> None:
    unit = write_unit(debian, f"remembered{len(changed)}.service")
    inside(debian, "services.start(unit); services.remember_start(unit)", unit=unit)

    path = f"/etc/systemd/system/{changed.format(unit=unit)}"
    debian.write(path, "[Unit]\nDescription=changed\n" + (SLEEP if path.endswith(unit) else ""))
    debian.run("systemctl", "daemon-reload")
    edited = inside(debian, STARTED_FROM, unit=unit)
    debian.run("systemctl", "restart", unit)
    restarted = inside(debian, STARTED_FROM, unit=unit)

    assert edited == (digest(SLEEP.encode()) if path.endswith(unit) else None)
    assert restarted == digest(debian.read(f"/etc/systemd/system/{unit}"))


def test_a_rollback_stops_and_disables_what_was_not_there_before(debian: DebianHost) -> None:
    unit = write_unit(debian, "new.service")

    inside(
        debian,
        """
        host.recorder = journal = Journal()
        services.enable(unit)
        services.start(unit)
        assert [] == journal.roll_back(host)
        """,
        unit=unit,
    )

    states = [property_of(debian, unit, name) for name in ("ActiveState", "UnitFileState")]
    assert ["inactive", "disabled"] == states


def test_a_rollback_starts_and_enables_what_was_there_before(debian: DebianHost) -> None:
    unit = write_unit(debian, "old.service")
    debian.run("systemctl", "enable", "--now", unit)

    inside(
        debian,
        """
        host.recorder = journal = Journal()
        services.stop(unit)
        services.disable(unit)
        assert [] == journal.roll_back(host)
        """,
        unit=unit,
    )

    states = [property_of(debian, unit, name) for name in ("ActiveState", "UnitFileState")]
    assert ["active", "enabled"] == states


def test_a_reading_of_systemd_costs_little(debian: DebianHost) -> None:
    took_s = inside(
        debian,
        """
        import subprocess, time
        host.commands.find("systemctl")
        def reading():
            begun = time.perf_counter()
            services.prefetch(["nginx.service", "gunicorn.service", "gunicorn.socket"])
            return time.perf_counter() - begun
        return min(reading() for _ in range(5))
        """,
    )

    assert took_s < 0.1


def test_while_an_image_is_built_units_are_enabled_and_nothing_runs(debian: DebianHost) -> None:
    unit = write_unit(debian, "image.service")

    before, after = inside(
        debian,
        """
        before = services.status(unit)
        services.enable(unit)
        return [before, services.status(unit)]
        """,
        unit=unit,
        settings={"service_manager": "none"},
    )

    assert ["enabled", "inactive"] == [
        property_of(debian, unit, name) for name in ("UnitFileState", "ActiveState")
    ]
    assert [(False, None), (True, None)] == [
        (status["enabled"], status["active"]) for status in (before, after)
    ]
    assert "skipped" in after["state"]


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "reload"])
def test_while_an_image_is_built_nothing_is_started(debian: DebianHost, verb: str) -> None:
    with pytest.raises(RefusedError, match=f"Cannot {verb} nginx"):
        inside(
            debian,
            "getattr(services, verb)('nginx.service')",
            verb=verb,
            settings={"service_manager": "none"},
        )
