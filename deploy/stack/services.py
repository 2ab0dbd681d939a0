"""The table of our programs: a later service is one row here (and a port in ports.py).

Placeholders in arguments and environment: {port:NAME} a chosen port, {postgres} the service's own database, {kafka} and
{registry} addresses, {saga} the coordinator's gRPC address, {cache} a folder for the service's registry cache, {root} the
clone.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Service:
    name: str
    program: str
    arguments: tuple[str, ...]
    needs: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()  # names in ports.py; the last one is HTTP with /readyz
    database: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """A program that runs to its end each time the stack starts; doing it again changes nothing."""

    name: str
    program: str
    arguments: tuple[str, ...]
    needs: tuple[str, ...]


def _participant(name: str) -> Service:
    return Service(
        name, f"{name}-service",
        ("--http-port", f"{{port:{name}}}", "--postgres", "{postgres}", "--kafka-brokers", "{kafka}", "--registry-url",
         "{registry}", "--registry-cache", "{cache}", "--instance", f"{name}-1"),
        needs=("postgres", "kafka", "registry", "schemas", "topics"), ports=(name,), database=f"{name}_db")


# In starting order.
TABLE: tuple[Service | Task, ...] = (
    Service(
        "registry", "schema-registry", ("--listen-port", "{port:registry}", "--postgres", "{postgres}"),
        needs=("postgres",), ports=("registry",), database="registry"),
    Task(
        "schemas", "sagactl",
        ("--registry-url", "{registry}", "schema", "register", "--map", "{root}/proto/shop/subjects.yaml"),
        needs=("registry",)),
    Task(
        "topics", "sagactl", ("--kafka-brokers", "{kafka}", "topics", "create", "--map", "{root}/proto/shop/subjects.yaml"),
        needs=("kafka",)),
    Service(
        "coordinator", "saga-coordinator",
        ("--grpc-listen", "127.0.0.1:{port:grpc}", "--http-port", "{port:coordinator}", "--postgres", "{postgres}",
         "--kafka-brokers", "{kafka}", "--registry-url", "{registry}", "--registry-cache", "{cache}", "--instance", "coordinator-1"),
        needs=("postgres", "kafka", "registry", "schemas", "topics"), ports=("grpc", "coordinator"), database="saga"),
    Task(
        "definitions", "sagactl", ("--address", "{saga}", "definitions", "put", "{root}/deploy/shop/checkout.yaml"),
        needs=("coordinator", "schemas")),
    _participant("order"),
    _participant("payment"),
    _participant("inventory"),
    _participant("shipping"),
    Service(
        "checkout", "checkout-service", ("--http-port", "{port:checkout}", "--saga-target", "{saga}"),
        needs=("coordinator", "definitions"), ports=("checkout",)),
)

SERVICES = tuple(row for row in TABLE if isinstance(row, Service))
DATABASES = tuple(row.database for row in SERVICES if row.database)
# What `up` starts when nothing is said, and what --only may name beside the rows.
INFRASTRUCTURE = ("postgres", "kafka")
ALL = INFRASTRUCTURE + tuple(row.name for row in TABLE)


def programs() -> list[str]:
    """The build's targets that the stack runs."""
    return sorted({row.program for row in TABLE})
