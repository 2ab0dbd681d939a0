"""TLS, clients' certificates and their reload at an HTTP server of ours; tokens and roles at the schema registry."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import BUILD
from harness import TestStack
from secure_coordinator import Authority, free_port, new_token, run_refused, until

BIN = BUILD / "bin"
SCHEMA = json.dumps({"schema": json.dumps({"type": "record", "name": "secured", "fields": []})}).encode()


class Server:
    """One program with an HTTP port, on its own."""

    def __init__(self, program: str, folder: Path, *flags: object, environment: dict[str, str] | None = None):
        self.log = folder / f"{program}.log"
        with self.log.open("ab") as log:
            self.child = subprocess.Popen([BIN / program, *map(str, flags)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          env={**os.environ, **(environment or {})})

    def __enter__(self) -> Server:
        until(lambda: "event=started" in self.log.read_text() or self.child.poll() is not None, "started")
        assert self.child.poll() is None, self.log.read_text()
        return self

    def __exit__(self, *_: object) -> None:
        self.child.kill()
        self.child.wait()

    def reload(self) -> None:
        before = self.log.read_text().count("event=reload")
        self.child.send_signal(signal.SIGHUP)
        until(lambda: self.log.read_text().count("event=reload") > before, "a reload")


def fetch(url: str, authority: Authority | None = None, pair: tuple[Path, Path] | None = None, method: str = "GET",
          data: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, str]:
    context = ssl.create_default_context(cafile=authority.certificate) if authority else None
    if context and pair:
        context.load_cert_chain(*pair)
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def test_plain_http_stays_on_loopback() -> None:
    for program, flag in (("checkout-service", "--http-address"), ("order-service", "--listen-address"),
                          ("schema-registry", "--listen-address")):
        refused = run_refused(BIN / program, [flag, "0.0.0.0", "config", "check"], {"REGISTRY_POSTGRES": "dbname=none"})
        assert refused.returncode == 78, refused
        assert f"{flag} '0.0.0.0': can be reached from other machines without encryption" in refused.stderr


def test_a_registry_on_a_network_wants_to_know_its_clients(authority: Authority) -> None:
    certificate, key = authority.issue("registry", "DNS:registry")
    flags = ["--listen-address", "0.0.0.0", "--tls-cert", str(certificate), "--tls-key", str(key)]
    refused = run_refused(BIN / "schema-registry", [*flags, "config", "check"], {"REGISTRY_POSTGRES": "dbname=none"})
    assert refused.returncode == 78, refused
    assert "whoever does may change every schema: set access-file or tls-client-ca" in refused.stderr
    for more in (["--tls-client-ca", str(authority.certificate)], ["--insecure-listen"]):
        run = subprocess.run([BIN / "schema-registry", *flags, *more, "config", "check"], capture_output=True, text=True,
                             timeout=30, env={"REGISTRY_POSTGRES": "dbname=none"})
        assert run.returncode == 0, run.stderr


def test_tls_clients_certificates_and_reload(tmp_path: Path, authority: Authority) -> None:
    certificate, key = authority.issue("checkout", "IP:127.0.0.1")
    client = authority.issue("client", "DNS:client")
    stranger = Authority(tmp_path, "stranger-ca").issue("stranger", "DNS:client")
    port = free_port()
    url = f"https://127.0.0.1:{port}/livez"
    with Server("checkout-service", tmp_path, "--http-port", port, "--saga-target", "127.0.0.1:1", "--tls-cert", certificate,
                "--tls-key", key, "--tls-client-ca", authority.certificate) as server:
        assert fetch(url, authority, client)[0] == 200
        for pair in (None, stranger):
            status, body = fetch(url, authority, pair)
            assert status == 401 and "a client certificate is needed" in body
        with pytest.raises(OSError):
            fetch(url.replace("https", "http"))

        other = Authority(tmp_path, "other-ca")
        fresh = other.issue("fresh", "IP:127.0.0.1")
        os.replace(fresh[0], certificate)
        server.reload()  # half of a rotation
        assert "event=reload_failed part=security" in server.log.read_text()
        assert fetch(url, authority, client)[0] == 200
        os.replace(fresh[1], key)
        server.reload()
        assert fetch(url, other, client)[0] == 200
        with pytest.raises(OSError):
            fetch(url, authority, client)


@pytest.fixture(scope="module")
def registry(stack: TestStack, tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[tuple[str, dict[str, str]]]:
    """A second registry over the stack's database, with an access file; its address, and a token for each role."""
    folder = tmp_path_factory.mktemp("registry")
    made = {role: new_token(BIN / "sagactl", role, role) for role in ("schema-reader", "schema-writer", "viewer")}
    access = folder / "access"
    access.write_text("\n".join(line for _, line in made.values()) + "\ncertificate service schema-writer service.internal\n")
    certificate, key = authority.issue("registry", "IP:127.0.0.1")
    port = free_port()
    with Server("schema-registry", folder, "--listen-port", port, "--access-file", access, "--tls-cert", certificate, "--tls-key", key,
                environment={"REGISTRY_POSTGRES": stack.endpoints["PG_REGISTRY_DSN"]}):
        yield f"https://127.0.0.1:{port}", {role: token for role, (token, _) in made.items()}


def test_every_route_of_the_registry_needs_its_role(registry: tuple[str, dict[str, str]], authority: Authority) -> None:
    url, tokens = registry
    reads = [("GET", "/subjects"), ("GET", "/schemas/types"), ("GET", "/config"), ("GET", "/mode"), ("POST", "/subjects/secured-value"),
             ("POST", "/compatibility/subjects/secured-value/versions/latest")]
    writes = [("POST", "/subjects/secured-value/versions"), ("PUT", "/config/secured-value"), ("DELETE", "/config/secured-value"),
              ("PUT", "/mode/secured-value"), ("DELETE", "/subjects/secured-value")]

    def status(method: str, path: str, token: str | None) -> int:
        data = SCHEMA if method == "POST" else b'{"compatibility":"FULL","mode":"READWRITE"}' if method == "PUT" else None
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        return fetch(url + path, authority, method=method, data=data, headers=headers)[0]

    for method, path in reads + writes:
        assert status(method, path, None) == 401, path
        assert status(method, path, "amends_wrong") == 401, path
        assert status(method, path, tokens["viewer"]) == 403, path
        assert status(method, path, tokens["schema-writer"]) not in (401, 403), path
    for method, path in reads:
        assert status(method, path, tokens["schema-reader"]) not in (401, 403), path
    for method, path in writes:
        assert status(method, path, tokens["schema-reader"]) == 403, path
    assert status("GET", "/health", None) == 200


def test_who_is_not_known_is_asked_for_a_credential(registry: tuple[str, dict[str, str]], authority: Authority) -> None:
    """HttpURLConnection and browsers send a login only then."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{registry[0]}/subjects", timeout=10, context=ssl.create_default_context(cafile=authority.certificate))
    assert refused.value.code == 401
    assert [text.split()[0] for text in refused.value.headers.get_all("WWW-Authenticate")] == ["Bearer", "Basic"]


def test_clients_of_confluent_send_the_token_as_a_password(registry: tuple[str, dict[str, str]], authority: Authority) -> None:
    url, tokens = registry
    login = b64encode(f"anybody:{tokens['schema-reader']}".encode()).decode()
    assert fetch(f"{url}/subjects", authority, headers={"Authorization": f"Basic {login}"})[0] == 200


def test_sagactl_reaches_a_registry_behind_tls_and_roles(registry: tuple[str, dict[str, str]], authority: Authority,
                                                         tmp_path: Path) -> None:
    url, tokens = registry
    token_file = tmp_path / "token"
    token_file.touch(0o600)
    token_file.write_text(tokens["schema-reader"])

    def list_schemas(*more: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([BIN / "sagactl", "--registry-url", url, *map(str, more), "schema", "list"], capture_output=True,
                              text=True, timeout=30)

    assert list_schemas("--registry-ca", authority.certificate, "--registry-token-file", token_file).returncode == 0
    assert list_schemas("--registry-ca", authority.certificate).returncode == 1
    assert list_schemas("--registry-token-file", token_file).returncode == 4  # unknown authority: no connection
