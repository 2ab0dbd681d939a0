"""Where things are, and what may be deleted.

`state` (build/dev, or build/test-stack for the tests) holds logs, run files and endpoints. Data of Postgres and Kafka is in
`data`: inside `state` for a user; for root in /var/tmp, because Postgres refuses to run as root and an unprivileged server
cannot enter a clone under a 0700 folder. A marker file in it names its clone: without the marker nothing is deleted.
"""
from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from .errors import StackError

MARKER = ".amends-data"
REMOVE_S = 10


def _remove(folder: Path) -> None:
    """A program that was interrupted (initdb, a server) may make and remove files of its own for another moment."""
    deadline = time.monotonic() + REMOVE_S
    while folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTEMPTY) or time.monotonic() > deadline:
                raise


@dataclass(frozen=True)
class Folders:
    root: Path  # the clone
    state: Path
    build: Path  # the CMake build with bin/, and kafka/libs beside it

    @staticmethod
    def of_clone(state_name: str = "dev") -> Folders:
        root = Path(__file__).resolve().parents[2]
        build = Path(os.environ.get("AMENDS_BUILD", root / "build" / "dev")).resolve()
        return Folders(root, root / "build" / state_name, build)

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def bin(self) -> Path:
        return self.build / "bin"

    @property
    def endpoints(self) -> Path:
        return self.state / "endpoints.env"

    @property
    def data(self) -> Path:
        if os.geteuid() != 0:
            return self.state / "data"
        digest = hashlib.sha256(os.fsencode(self.state)).hexdigest()[:12]
        return Path("/var/tmp") / f"amends-{digest}"

    @property
    def registry_caches(self) -> Path:
        """What services keep of the registry's schemas; beside the registry's own data, since they end together."""
        return self.data / "registry-cache"

    def make(self) -> None:
        """Creates what is missing. Refuses a data folder that somebody else made under our name."""
        for folder in (self.state, self.logs, self.run):
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise StackError(f"{folder} cannot be written: it belongs to {folder.owner()}; delete it as that user")
        self._make_data()

    def _make_data(self) -> None:
        try:
            # Others may pass through (the postgres user must), not list.
            self.data.mkdir(mode=0o711)
            self.data.chmod(0o711)
            (self.data / MARKER).write_text(f"{self.state}\n")
        except FileExistsError:
            if not self.owns_data():
                raise StackError(f"{self.data} exists, but was not made from {self.state}: move it away") from None
        link = self.state / "data"
        if link != self.data and not link.is_symlink():
            link.symlink_to(self.data)
        elif link != self.data and link.resolve() != self.data:
            link.unlink()
            link.symlink_to(self.data)

    def owns_data(self) -> bool:
        marker = self.data / MARKER
        try:
            is_ours = not self.data.is_symlink() and self.data.stat().st_uid == os.geteuid()
            return is_ours and marker.read_text().strip() == str(self.state)
        except OSError:
            return False

    def delete_data(self, keep_logs: bool = False) -> bool:
        """Deletes databases, topics, registry caches, run files and logs; what was built stays. Returns whether there was data."""
        existed = self.data.exists()
        if existed and not self.owns_data():
            raise StackError(f"{self.data} is not deleted: its {MARKER} does not name {self.state}")
        if existed:
            _remove(self.data)
        link = self.state / "data"
        if link.is_symlink():
            link.unlink()
        for folder in (self.run,) if keep_logs else (self.run, self.logs):
            shutil.rmtree(folder, ignore_errors=True)
        self.endpoints.unlink(missing_ok=True)
        return existed
