"""Postgres 15: a private server in the data folder, or databases on one that exists; a role and a database a service."""
from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

from .errors import StackError
from .folders import Folders
from .ports import is_open
from .process import Command, identity
from .unit import Unit

BINARIES = Path("/usr/lib/postgresql/15/bin")
SUPERUSER = "postgres"


@dataclass(frozen=True)
class Login:
    """How to reach one database. `conninfo` has no password, since command lines can be read by all: programs take it
    from PGPASSWORD. `dsn` has all of it."""

    conninfo: str
    dsn: str
    password: str

    @property
    def environment(self) -> Mapping[str, str]:
        return {"PGPASSWORD": self.password}


class Passwords:
    """Made once for each role, kept in the data folder, readable by its owner alone. Roles carry our mark as a comment, so
    that a clone whose data folder was deleted may set new ones, on an existing server as well."""

    def __init__(self, folders: Folders):
        self.mark = f"made by Amends in {folders.state}"
        self.file = folders.data / "passwords.json"

    def of(self, role: str) -> str:
        known = json.loads(self.file.read_text()) if self.file.exists() else {}
        if role not in known:
            known[role] = secrets.token_hex(12)
            draft = self.file.with_suffix(".new")
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(known, file)
            draft.replace(self.file)
        return known[role]


class PrivatePostgres:
    """A server of our own: loopback only, no Unix socket (its path would be too long in a deep clone), passwords, fsync on."""

    def __init__(self, folders: Folders, port: int, databases: Iterable[str]):
        self.folders = folders
        self.port = port
        self.databases = list(databases)
        self.passwords = Passwords(folders)
        self.cluster = folders.data / "postgres"
        self.user = SUPERUSER if os.geteuid() == 0 else None

    def login(self, database: str, role: str | None = None) -> Login:
        role = role or database
        password = self.passwords.of(role)
        place = f"127.0.0.1:{self.port}/{database}"
        return Login(f"postgresql://{role}@{place}", f"postgresql://{role}:{password}@{place}", password)

    def unit(self) -> Unit:
        return Unit("postgres", self._command, prepare=self._prepare, is_ready=self._is_ready,
                    when_ready=self._make_databases, note=f"127.0.0.1:{self.port}")

    def _prepare(self) -> None:
        if not (BINARIES / "postgres").exists():
            raise StackError(f"{BINARIES}/postgres is missing: install postgresql-15")
        if self.cluster.exists():
            return
        # Made beside its place and then moved, so that an interrupted initdb is not taken for a cluster.
        draft = self.folders.data / "postgres.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        password = self.folders.data / "initdb.password"
        password.unlink(missing_ok=True)
        with open(os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(self.passwords.of(SUPERUSER) + "\n")
        if self.user:
            shutil.chown(draft, self.user, self.user)
            shutil.chown(password, self.user, self.user)
        try:
            result = subprocess.run(
                [BINARIES / "initdb", "--pgdata", draft, "--username", SUPERUSER, "--pwfile", password, "--auth",
                 "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-instructions"],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd="/", timeout=180, **identity(self.user))
        except subprocess.TimeoutExpired:
            raise StackError(f"initdb did not end within 180 s in {draft}") from None
        finally:
            password.unlink(missing_ok=True)
        if result.returncode != 0:
            raise StackError(f"initdb failed in {draft}: {(result.stderr or result.stdout).strip()[-1500:]}")
        draft.rename(self.cluster)

    def _command(self) -> Command:
        settings = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "on",
            "max_connections": 200, "shared_buffers": "64MB", "cluster_name": "amends",
            "log_line_prefix": "%m [%p] %q%u@%d ",
        }
        argv = [str(BINARIES / "postgres"), "-D", str(self.cluster)]
        for key, value in settings.items():
            argv += ["-c", f"{key}={value}"]
        # SIGINT is Postgres's fast shutdown: it does not wait for clients to leave.
        return Command(argv, user=self.user, stop_signal=signal.SIGINT)

    def _is_ready(self) -> bool:
        if not is_open(self.port):
            return False
        return psql(self.login("postgres", SUPERUSER), "SELECT 1", check=False) == "1"

    def _make_databases(self) -> None:
        make_databases(self.login("postgres", SUPERUSER), self.passwords, self.databases)


class ExistingPostgres:
    """Somebody else's server: reached with an administrator's conninfo; only our databases and roles are made there."""

    def __init__(self, folders: Folders, conninfo: str, databases: Iterable[str]):
        self.conninfo = conninfo
        self.databases = list(databases)
        self.passwords = Passwords(folders)

    def login(self, database: str, role: str | None = None) -> Login:
        role = role or database
        password = self.passwords.of(role)
        return Login(redirect(self.conninfo, database, role, None), redirect(self.conninfo, database, role, password),
                     password)

    def check(self) -> None:
        self._ask(Login(self.conninfo, self.conninfo, os.environ.get("PGPASSWORD", "")), "the server given by --postgres")

    def make_databases(self) -> None:
        admin = Login(self.conninfo, self.conninfo, os.environ.get("PGPASSWORD", ""))
        make_databases(admin, self.passwords, self.databases)
        for database in self.databases:
            self._ask(self.login(database), f"database {database} of --postgres as its role '{database}'")

    @staticmethod
    def _ask(login: Login, what: str) -> None:
        try:
            psql(login, "SELECT 1")
        except StackError as error:
            raise StackError(f"cannot use {what}: {error}") from None


def redirect(conninfo: str, database: str, role: str, password: str | None) -> str:
    """The same server, as another role and database. Knows both forms of conninfo."""
    if conninfo.startswith(("postgresql://", "postgres://")):
        parts = urlsplit(conninfo)
        place = parts.netloc.rsplit("@", 1)[-1]
        login = role if password is None else f"{role}:{quote(password)}"
        keep = "&".join(f"{key}={quote(value)}" for key, values in parse_qs(parts.query).items() for value in values
                        if key not in ("user", "password", "dbname"))
        return urlunsplit((parts.scheme, f"{login}@{place}", f"/{database}", keep, ""))
    # In the other form a later keyword wins; an empty password means none, so that PGPASSWORD counts.
    return f"{conninfo} dbname={database} user={role} password={password or chr(39) * 2}"


def make_databases(admin: Login, passwords: Passwords, databases: Iterable[str]) -> None:
    """Creates what is missing; a role may use its own database and no other. Raises StackError for a role that is not ours."""
    for name in databases:
        password, mark = passwords.of(name), passwords.mark.replace("'", "''")
        found = psql(admin, f"SELECT coalesce(shobj_description(oid, 'pg_authid'), '-') FROM pg_roles WHERE rolname = '{name}'")
        if not found:
            psql(admin, f"BEGIN; CREATE ROLE {name} LOGIN PASSWORD '{password}'; COMMENT ON ROLE {name} IS '{mark}'; COMMIT")
        elif found == passwords.mark:
            psql(admin, f"ALTER ROLE {name} PASSWORD '{password}'")
        else:
            raise StackError(f"the role '{name}' exists on that Postgres and is not ours (its comment: {found}): use another server, "
                             f"or drop role and database '{name}'")
        if psql(admin, f"SELECT 1 FROM pg_database WHERE datname = '{name}'") != "1":
            # An administrator that is no superuser must be a member to give the database away.
            psql(admin, f"GRANT {name} TO CURRENT_USER")
            psql(admin, f"CREATE DATABASE {name} OWNER {name}")
            psql(admin, f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC")


def psql(login: Login, statement: str, check: bool = True) -> str:
    environment = {**os.environ, "PGCONNECT_TIMEOUT": "5"}
    if login.password:
        environment["PGPASSWORD"] = login.password
    try:
        # The statement goes in by standard input: it may hold a password.
        result = subprocess.run([BINARIES / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-w", "-d", login.conninfo],
                                input=statement, env=environment, capture_output=True, text=True, timeout=60, cwd="/")
    except subprocess.TimeoutExpired:
        raise StackError("psql got no answer within 60 s") from None
    if result.returncode != 0 and check:
        raise StackError(result.stderr.strip())
    return result.stdout.strip()
