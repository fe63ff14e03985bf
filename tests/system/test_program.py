"""How units run this program again, for each way in which it is installed."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from reconcile.system.program import own_program

CHECKOUT = Path(__file__).parents[2]
MAIN = f"""
import sys
sys.path.append({str(CHECKOUT)!r})
from reconcile.system.program import own_program
print(*own_program(), sep="\\n")
"""


def test_an_installed_program_is_a_module_of_its_python() -> None:
    assert (sys.executable, "-I", "-m", "reconcile") == own_program()


@pytest.mark.process
def test_the_one_file_is_run_by_its_absolute_path(tmp_path: Path) -> None:
    archive = tmp_path / "reconcile.pyz"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("__main__.py", MAIN)
    command = [sys.executable, "-I", "reconcile.pyz"]

    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)

    assert [sys.executable, "-I", str(archive)] == done.stdout.splitlines()
