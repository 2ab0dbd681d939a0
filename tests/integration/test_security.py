"""Who is let in, and who may listen where: TLS, clients' certificates, tokens, roles, their reload, the UNIX socket."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import grpc
import pytest
from conftest import BUILD
from grpc_health.v1 import health_pb2, health_pb2_grpc
from secure_coordinator import Authority, SecureCoordinator, call, is_let_in, new_token, run_refused, until

BIN = BUILD / "bin"
COORDINATOR = BIN / "saga-coordinator"
SAGACTL = BIN / "sagactl"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server_pair(authority: Authority) -> tuple[Path, Path]:
    return authority.issue("server", "DNS:localhost,IP:127.0.0.1")


def access_file(folder: Path, *lines: str) -> Path:
    path = folder / "access"
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o640)
    return path


def tls_flags(pair: tuple[Path, Path]) -> list[str]:
    return ["--tls-cert", str(pair[0]), "--tls-key", str(pair[1])]


def tls_channel(address: str, authority: Authority, pair: tuple[Path, Path] | None = None) -> grpc.Channel:
    certificate, key = (path.read_bytes() for path in pair) if pair else (None, None)
    credentials = grpc.ssl_channel_credentials(authority.certificate.read_bytes(), key, certificate)
    return grpc.secure_channel(address, credentials)


# ---- where a server may listen ---------------------------------------------------------------------------------------------


def test_nothing_listens_beyond_loopback_without_protection() -> None:
    refused = run_refused(COORDINATOR, ["--grpc-listen", "0.0.0.0:0", "--listen-address", "0.0.0.0"])
    assert refused.returncode == 78
    assert "--grpc-listen '0.0.0.0:0': can be reached from other machines: set tls-cert, tls-key, tls-client-ca" in refused.stderr
    assert "--listen-address '0.0.0.0': can be reached from other machines without encryption" in refused.stderr


def test_the_risk_can_be_accepted(tmp_path: Path) -> None:
    with SecureCoordinator(COORDINATOR, tmp_path, "--insecure-listen", listen="0.0.0.0:0"):
        pass


def test_all_that_is_wrong_with_security_is_said_at_once(tmp_path: Path, server_pair: tuple[Path, Path]) -> None:
    key = tmp_path / "open.key"
    key.write_bytes(server_pair[1].read_bytes())
    key.chmod(0o644)
    config = tmp_path / "coordinator.conf"
    config.write_text(f"tls-cert = {server_pair[0]}\ntls-key = {key}\naccess-file = {access_file(tmp_path, 'token x chief y')}\n"
                      "registry-token = s3cr3t\n")
    refused = run_refused(COORDINATOR, ["--config", str(config), "config", "check"])
    assert refused.returncode == 78
    assert f"{config}:4: 'registry-token' holds a secret, but every user can read the file" in refused.stderr
    assert "s3cr3t" not in refused.stderr
    config.chmod(0o600)
    refused = run_refused(COORDINATOR, ["--config", str(config), "config", "check"])
    assert f"{config}:2: tls-key '{key}': {key} is open to every user (mode 0644)" in refused.stderr
    assert f"{tmp_path}/access:1: there is no role 'chief'" in refused.stderr
    printed = run_refused(COORDINATOR, ["--config", str(config), "config", "print", "--show-origin"])
    assert "registry-token = ***" in printed.stdout and f"# file {config}:4" in printed.stdout


# ---- who is let in ---------------------------------------------------------------------------------------------------------


def test_mutual_tls_lets_in_whom_the_authority_vouches_for(tmp_path: Path, authority: Authority,
                                                           server_pair: tuple[Path, Path]) -> None:
    shop = authority.issue("shop", "DNS:shop.internal")
    viewer = authority.issue("viewer", "URI:spiffe://internal/viewer")
    nobody = authority.issue("nobody", "DNS:nobody.internal")
    stranger_authority = Authority(tmp_path, "stranger-ca")
    stranger = stranger_authority.issue("stranger", "DNS:shop.internal")
    access = access_file(tmp_path, "certificate shop starter shop.internal", "certificate viewer viewer spiffe://internal/viewer")
    flags = [*tls_flags(server_pair), "--tls-client-ca", str(authority.certificate), "--access-file", str(access)]
    with SecureCoordinator(COORDINATOR, tmp_path, *flags, "--listen-address", "0.0.0.0") as coordinator:
        address = f"localhost:{coordinator.port}"
        for channel in (grpc.insecure_channel(address), tls_channel(address, authority), tls_channel(address, authority, stranger)):
            with channel:
                error = call(channel)
                assert error.code() == grpc.StatusCode.UNAVAILABLE and not is_let_in(error), error
        with tls_channel(address, authority, nobody) as channel:
            assert call(channel).code() == grpc.StatusCode.UNAUTHENTICATED
        with tls_channel(address, authority, shop) as channel:
            assert is_let_in(call(channel, "StartSaga"))
            error = call(channel, "PutDefinition")
            assert error.code() == grpc.StatusCode.PERMISSION_DENIED and "role admin" in error.details()
        with tls_channel(address, authority, viewer) as channel:
            assert is_let_in(call(channel))
            assert call(channel, "StartSaga").code() == grpc.StatusCode.PERMISSION_DENIED


def test_tokens_have_roles_and_health_needs_none(tmp_path: Path, authority: Authority, server_pair: tuple[Path, Path]) -> None:
    starter, starter_line = new_token(SAGACTL, "ci", "starter")
    admin, admin_line = new_token(SAGACTL, "chief", "admin")
    flags = [*tls_flags(server_pair), "--access-file", str(access_file(tmp_path, starter_line, admin_line))]
    with SecureCoordinator(COORDINATOR, tmp_path, *flags) as coordinator:
        with tls_channel(coordinator.address, authority) as channel:
            assert call(channel).code() == grpc.StatusCode.UNAUTHENTICATED
            assert call(channel, token="amends_0").code() == grpc.StatusCode.UNAUTHENTICATED
            assert is_let_in(call(channel, "StartSaga", starter))
            assert call(channel, "PutDefinition", starter).code() == grpc.StatusCode.PERMISSION_DENIED
            assert is_let_in(call(channel, "PutDefinition", admin))
            assert health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        assert coordinator.said('event=call_audited who="chief" role=admin method=/saga.v1.SagaService/PutDefinition')
        assert not coordinator.said(admin)


def test_sagactl_speaks_tls_and_shows_its_token(tmp_path: Path, authority: Authority, server_pair: tuple[Path, Path]) -> None:
    token, line = new_token(SAGACTL, "ann", "viewer")
    token_file = tmp_path / "ann.token"
    token_file.write_text(token + "\n")
    flags = [*tls_flags(server_pair), "--access-file", str(access_file(tmp_path, line))]

    def get(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([SAGACTL, "--address", coordinator.address, *more, "definitions", "list"], capture_output=True,
                              text=True, timeout=30)

    with SecureCoordinator(COORDINATOR, tmp_path, *flags) as coordinator:
        secure = ["--saga-ca", str(authority.certificate)]
        token_file.chmod(0o644)
        refused = get(*secure, "--saga-token-file", str(token_file))
        assert refused.returncode == 2 and "open to every user" in refused.stderr
        token_file.chmod(0o600)
        assert "a credential is needed" in get(*secure).stderr
        answer = get(*secure, "--saga-token-file", str(token_file))
        assert answer.returncode == 4 and "waits for its database" in answer.stderr
        assert token not in answer.stderr


def test_sighup_brings_new_certificates_tokens_and_log_level(tmp_path: Path, authority: Authority) -> None:
    certificate, key = authority.issue("rotated", "IP:127.0.0.1")
    old, old_line = new_token(SAGACTL, "old", "viewer")
    new, new_line = new_token(SAGACTL, "new", "viewer")
    access = access_file(tmp_path, old_line)
    config = tmp_path / "coordinator.conf"
    config.write_text("log-level = warn\n")
    flags = [*tls_flags((certificate, key)), "--access-file", str(access), "--config", str(config), "--log-level=info"]
    with SecureCoordinator(COORDINATOR, tmp_path, *flags) as coordinator:
        other = Authority(tmp_path, "other-ca")
        with tls_channel(coordinator.address, authority) as channel:
            assert is_let_in(call(channel, token=old))
            fresh = other.issue("fresh", "IP:127.0.0.1")
            os.replace(fresh[0], certificate)
            access_file(tmp_path, "nonsense")
            coordinator.reload()  # half of a rotation: certificate and key do not fit, and the access file is wrong
            assert coordinator.said("event=reload_failed part=security") and coordinator.said("event=reload_failed part=access")
            assert is_let_in(call(channel, token=old))
            with tls_channel(coordinator.address, authority) as another:
                assert is_let_in(call(another, token=old))
            os.replace(fresh[1], key)
            access_file(tmp_path, new_line)
            coordinator.reload()
            assert coordinator.said("event=reloaded")
            assert call(channel, token=old).code() == grpc.StatusCode.UNAUTHENTICATED  # a connection that was there before
        with tls_channel(coordinator.address, other) as channel:
            assert is_let_in(call(channel, token=new))
        with tls_channel(coordinator.address, authority) as channel:
            assert not is_let_in(call(channel, token=new))


def test_a_unix_socket_is_for_owner_and_group(tmp_path: Path) -> None:
    path = tmp_path / "grpc.sock"
    with SecureCoordinator(COORDINATOR, tmp_path, listen=f"unix:{path}"):
        until(path.exists, "the socket")
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        with grpc.insecure_channel(f"unix:{path}") as channel:
            assert is_let_in(call(channel, "PutDefinition"))
