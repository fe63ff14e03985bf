"""The quick start, block by block, as somebody pastes it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.lab import DebianHost

pytestmark = [pytest.mark.host, pytest.mark.nightly]

PAGE = Path(__file__).parents[2] / "docs/quickstart-flask.md"
FROM_THE_NETWORK = re.compile(r"^sudo (?:apt-get|\.venv/bin/pip) .*\n", re.MULTILINE)
"""What it installs is on the test's host."""


def pasted() -> str:
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    script = FROM_THE_NETWORK.sub("", "".join(blocks))
    return script.replace("sudo python3 -m venv .venv", "sudo ln -s /opt/apps-venv .venv")


def test_each_block_of_the_quick_start_runs_as_it_stands(debian_host: DebianHost) -> None:
    done = debian_host.run("bash", "-euo", "pipefail", "-c", pasted())

    output = done.stdout
    assert output.index("Apply complete! 10 added") < output.index('{"filename":"hello.txt"}')
    assert re.search(r"^hello$", output, re.MULTILINE)
    assert "cannot enter /var/www/myapp/static" in output
    assert "[nginx-read]" in output
    assert output.rstrip().endswith("Apply complete! 0 added, 1 changed, 0 destroyed.")
