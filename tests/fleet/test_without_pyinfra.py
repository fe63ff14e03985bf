"""pyinfra is optional: without it every other command works, and this one names what is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

WITHOUT = """
import sys
sys.modules["gevent"] = sys.modules["pyinfra"] = None
from reconcile.cli.main import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("fleet", "--help"), 0, "many hosts"),
        (("fleet", "plan"), 1, "pip install 'reconcile-host[fleet]'"),
    ],
)
def test_the_fleet_needs_pyinfra_only_to_ask_hosts(
    tmp_path: Path, arguments: tuple[str, ...], code: int, text: str
) -> None:
    (tmp_path / "fleet.yaml").write_text(
        "version: 1\nhosts: {a: {local: true}}\nconfig: ./a.yaml\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments], cwd=tmp_path, capture_output=True, text=True
    )

    assert code == done.returncode, done.stderr
    assert text in done.stdout + done.stderr
