"""A connection that is lost while a commit is under way: whether it was done or not, nothing is lost and nothing is done twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from harness import TestStack
from order_crowd import Orders, patient
from postgres_proxy import Lost, PostgresProxy
from psycopg.conninfo import make_conninfo
from shop_client import Shop
from test_kill import audit

__all__ = ["audit", "patient"]  # fixtures

CUTS = 4
CROWDS_MAX = 10
# What commits: the coordinator's turn is one statement, a participant's is a transaction.
# BEGIN ISOLATION LEVEL READ COMMITTED is no commit.
COMMITS = {
    "coordinator": re.compile(rb"INSERT INTO saga \("),
    "order": re.compile(rb"^\s*COMMIT\b"),
    "payment": re.compile(rb"^\s*COMMIT\b"),
    "inventory": re.compile(rb"^\s*COMMIT\b"),
}


@contextmanager
def behind_proxy(stack: TestStack, name: str) -> Iterator[PostgresProxy]:
    """The service started anew, with its database behind a proxy; as before afterwards."""
    login = stack.stack.login("saga" if name == "coordinator" else f"{name}_db")
    with closing(PostgresProxy(stack.stack.ports["postgres"], lambda sql: COMMITS[name].search(sql) is not None)) as proxy:
        conninfo = make_conninfo(login.conninfo, port=proxy.port, sslmode="disable", gssencmode="disable")
        stack.add_arguments(name, "--postgres", conninfo)
        try:
            stack.restart(name)
            yield proxy
        finally:
            stack.add_arguments(name)
            stack.restart(name)


@pytest.mark.parametrize("lost", Lost, ids=lambda lost: f"{lost.value}-lost")
@pytest.mark.parametrize("name", COMMITS)
def test_an_unknown_commit_is_looked_at_again(shop: Shop, stack: TestStack, audit, patient: None, name: str, lost: Lost) -> None:
    with closing(Orders(shop)) as orders, behind_proxy(stack, name) as proxy:
        proxy.cut(lost, CUTS, every=2)
        orders.order()
        orders.wait_ended()
        for _ in range(CROWDS_MAX):  # a quick machine does this many orders in few commits
            if proxy.cuts == CUTS:
                break
            with closing(Orders(shop)) as more:
                more.order()
                more.check(audit)
        orders.check(audit)
        assert proxy.cuts == CUTS
