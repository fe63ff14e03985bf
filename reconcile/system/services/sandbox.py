"""Where the process manager keeps things: units, records of processes and logs in state_dir."""

from __future__ import annotations

import os

from reconcile.dataclass import dataclass
from reconcile.system.services import ServiceFailed, checked

LAST_WORDS_BYTES = 4096


@dataclass(frozen=True)
class Sandbox:
    """The folders of the process manager, and what its units have said in their logs."""

    state_dir: str

    def make(self) -> None:
        for folder in ("", "/run", "/log"):
            os.makedirs(self.state_dir + folder, mode=0o700, exist_ok=True)

    @property
    def runtime_root(self) -> str:
        return f"{self.state_dir}/run"

    def make_runtime_directory(self, name: str) -> None:
        """A private folder of the program's own; out of reach for one that runs as another user."""
        os.makedirs(f"{self.runtime_root}/{name}", mode=0o700, exist_ok=True)

    def unit_path(self, unit: str) -> str:
        return f"{self.state_dir}/units/{checked(unit)}"

    def record_path(self, unit: str) -> str:
        return f"{self.state_dir}/run/{checked(unit)}.json"

    def log_path(self, unit: str) -> str:
        return f"{self.state_dir}/log/{checked(unit)}.log"

    def log_size(self, unit: str) -> int:
        path = self.log_path(unit)
        return os.stat(path).st_size if os.path.exists(path) else 0

    def last_words(self, unit: str, log_from: int) -> str:
        """What the unit has logged since the log had `log_from` bytes: the end of it."""
        path = self.log_path(unit)
        if not os.path.exists(path):
            return ""
        with open(path, "rb") as log:
            log.seek(max(log_from, os.fstat(log.fileno()).st_size - LAST_WORDS_BYTES))
            return os.fsdecode(log.read()).strip()

    def failed(self, unit: str, log_from: int) -> ServiceFailed:
        return ServiceFailed(
            what=f"{unit} did not start",
            why=self.last_words(unit, log_from) or "it said nothing",
            fix=f"Mend what it complains of; its log is {self.log_path(unit)}",
        )
