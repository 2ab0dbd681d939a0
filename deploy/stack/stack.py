"""Puts the parts together: which servers are ours, on which ports, and the units that a group runs."""
from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass

from . import kafka, ports, services
from .errors import StackError
from .folders import Folders
from .group import Group
from .postgres import ExistingPostgres, Login, PrivatePostgres
from .process import Command
from .unit import Unit, http_ready


@dataclass(frozen=True)
class Options:
    """What the person asked for."""

    only: tuple[str, ...] = ()  # empty: everything
    broker: str | None = None
    postgres: str | None = None
    port_base: int | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Options:
        values = json.loads(text)
        return Options(tuple(values.pop("only")), **values)

    def names(self) -> tuple[str, ...]:
        return self.only or services.ALL


def port_names(options: Options) -> list[str]:
    """The ports that are to be ours. All services count even when --only leaves some out: they may be started later."""
    names = [name for row in services.SERVICES for name in row.ports]
    if not options.broker:
        names += ["kafka", "kafka-controller"]
    if not options.postgres:
        names.append("postgres")
    return [name for name in ports.DEFAULTS if name in names]


class Stack:
    """Owns the ports and the units. The group is where units live."""

    def __init__(self, folders: Folders, options: Options, chosen: ports.Ports,
                 report: Callable[[str], None] = lambda line: None, restart: bool = True):
        self.folders = folders
        self.options = options
        self.ports = chosen
        if options.postgres:
            self.postgres: PrivatePostgres | ExistingPostgres = ExistingPostgres(folders, options.postgres, services.DATABASES)
        else:
            self.postgres = PrivatePostgres(folders, chosen["postgres"], services.DATABASES)
        self.kafka = None if options.broker else kafka.PrivateKafka(folders, chosen["kafka"], chosen["kafka-controller"])
        self.group = Group(folders, self._units(), report, restart)

    @property
    def bootstrap(self) -> str:
        return self.options.broker or f"127.0.0.1:{self.ports['kafka']}"

    @property
    def registry_url(self) -> str:
        return self.http_url("registry")

    @property
    def saga_target(self) -> str:
        return f"127.0.0.1:{self.ports['grpc']}"

    def http_url(self, port: str) -> str:
        return f"http://127.0.0.1:{self.ports[port]}"

    def login(self, database: str) -> Login:
        return self.postgres.login(database)

    def prepare_existing(self) -> None:
        """Checks the servers that are not ours, and makes our databases there."""
        if isinstance(self.postgres, ExistingPostgres):
            self.postgres.check()
            self.postgres.make_databases()
        if self.options.broker:
            if not all(re.fullmatch(r"\S+:\d+", part) for part in self.options.broker.split(",")):
                raise StackError(f"--broker {self.options.broker}: must be HOST:PORT")
            if not any(kafka.answers(part) for part in self.options.broker.split(",")):
                raise StackError(f"no Kafka broker answers at {self.options.broker} (given by --broker)")

    def endpoints(self) -> Mapping[str, str]:
        """What build/dev/endpoints.env tells; a service's row in services.py gives its URL."""
        found = {
            "SAGA_GRPC": self.saga_target,
            "SAGA_HTTP": self.http_url("coordinator"),
            "REGISTRY_URL": self.registry_url,
            "KAFKA_BOOTSTRAP": self.bootstrap,
        }
        for row in services.SERVICES:
            if row.name not in ("registry", "coordinator"):
                found[f"{row.name.upper()}_URL"] = self.http_url(row.ports[-1])
        for database in services.DATABASES:
            name = database.removesuffix("_db").upper()
            found[f"PG_{name}_DSN"] = self.login(database).dsn
            if database.endswith("_db"):
                found[f"SAGACTL_PARTICIPANT_{name}"] = found[f"PG_{name}_DSN"]  # whose inbox sagactl check looks at
        return found

    def _units(self) -> Iterable[Unit]:
        own = []
        if isinstance(self.postgres, PrivatePostgres):
            own.append(self.postgres.unit())
        if self.kafka:
            own.append(self.kafka.unit())
        present = {unit.name for unit in own} | {row.name for row in services.TABLE}
        return own + [self._unit(row, present) for row in services.TABLE]

    def _unit(self, row: services.Service | services.Task, present: set[str]) -> Unit:
        needs = tuple(need for need in row.needs if need in present)
        if isinstance(row, services.Task):
            return Unit(row.name, lambda: self._command(row), needs=needs, is_task=True)
        port = self.ports[row.ports[-1]]
        note = " ".join(f"127.0.0.1:{self.ports[name]}" for name in row.ports)
        return Unit(row.name, lambda: self._command(row), needs=needs, is_ready=lambda: http_ready(port, "/readyz"), note=note)

    def _command(self, row: services.Service | services.Task) -> Command:
        program = self.folders.bin / row.program
        if not program.exists():
            raise StackError(f"{program} is not built: run deploy/up or tests/run, which build it")
        words = {"kafka": self.bootstrap, "registry": self.registry_url, "saga": self.saga_target, "root": str(self.folders.root)}
        environment: dict[str, str] = {}
        if isinstance(row, services.Service):
            if row.database:
                login = self.login(row.database)
                words["postgres"] = login.conninfo
                environment |= login.environment
            words["cache"] = str(self.folders.registry_caches / row.name)
            environment |= {key: self._fill(value, words) for key, value in row.environment.items()}
        return Command([str(program), *(self._fill(word, words) for word in row.arguments)], environment)

    def _fill(self, text: str, words: Mapping[str, str]) -> str:
        def value(match: re.Match[str]) -> str:
            name = match.group(1)
            return str(self.ports[name.removeprefix("port:")]) if name.startswith("port:") else words[name]

        return re.sub(r"\{([a-z:-]+)\}", value, text)
