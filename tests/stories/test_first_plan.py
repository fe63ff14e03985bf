"""The first plan of a site, on a host that has nothing of it yet."""

from __future__ import annotations

import pytest

from tests.lab import DebianHost
from tests.support import guide_site as site

pytestmark = pytest.mark.host

WIDTH = 80
ON_A_TERMINAL = f"stty cols {WIDTH}; NO_COLOR=1 /usr/local/bin/reconcile plan"


def test_the_first_plan_fits_on_a_screen(debian_host: DebianHost) -> None:
    site.deploy(debian_host)

    shown = debian_host.run("script", "-qec", ON_A_TERMINAL, "/dev/null", cwd="/etc/reconcile")

    lines = shown.stdout.split("\r\n")
    assert "Plan: " in lines[-2], shown.stdout
    assert len(lines) <= 40, shown.stdout
    assert [] == [line for line in lines if len(line) > WIDTH]
