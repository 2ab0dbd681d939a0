"""Three checkouts before the user's eyes: each with its timeline, each checked against how it should have ended."""
from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from .console import bold, green, red, say
from .errors import StackError
from .folders import Folders
from .postgres import Login, psql

CHECKOUT_S = 60  # the front waits 10 s for the outcome and then answers RUNNING
OUTCOME_WAIT = "30s"


@dataclass(frozen=True)
class Checkout:
    title: str
    flags: Mapping[str, bool]
    status: str
    step: str


# Said, not left out: a flag that is absent leaves the outcome to chance where failures are turned on.
CHECKOUTS = (
    Checkout("all goes well", {"forcePaymentFail": False, "forceInventoryFail": False}, "COMPLETED", "COMPLETED"),
    Checkout("the payment is refused", {"forcePaymentFail": True, "forceInventoryFail": False}, "FAILED", "PAYMENT_FAILED"),
    Checkout("no stock, so the money goes back", {"forcePaymentFail": False, "forceInventoryFail": True}, "FAILED",
             "INVENTORY_FAILED"),
)


def run(folders: Folders, endpoints: Mapping[str, str]) -> bool:
    """Returns whether every checkout ended as it should."""
    results = []
    for number, checkout in enumerate(CHECKOUTS, 1):
        try:
            results.append(_run_one(folders, endpoints, number, checkout))
        except (StackError, OSError, subprocess.TimeoutExpired) as error:
            say(red(f"  not as it should be: {error}"))
            results.append(False)
    return all(results)


def _run_one(folders: Folders, endpoints: Mapping[str, str], number: int, checkout: Checkout) -> bool:
    body = {"userId": "alice", "totalAmount": 49.90, "currency": "USD", "items": [{"productId": "prod-1", "quantity": 1}],
            **{flag: value for flag, value in checkout.flags.items() if value}}
    say()
    say(bold(f"Checkout {number} of {len(CHECKOUTS)}: {checkout.title}"))
    say(f"  curl -X POST {endpoints['CHECKOUT_URL']}/checkout -H 'content-type: application/json' -d '{json.dumps(body)}'")
    status, reply = _post(endpoints["CHECKOUT_URL"], {**body, **checkout.flags})
    say(f"  HTTP {status} {json.dumps(reply)}")
    if "sagaId" not in reply:
        say(red(f"  not as it should be: no saga was started (log {folders.logs}/checkout.log)"))
        return False
    timeline = subprocess.run(
        [folders.bin / "sagactl", "--address", endpoints["SAGA_GRPC"], "get", reply["sagaId"], "--wait", OUTCOME_WAIT],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=CHECKOUT_S)
    for line in (timeline.stdout + timeline.stderr).splitlines():
        say(f"  {line}")
    found = _outcome(endpoints["PG_SAGA_DSN"], reply["sagaId"])
    is_right = found == (checkout.status, checkout.step) and timeline.returncode == 0
    expected = f"{checkout.status}, {checkout.step}"
    if is_right:
        say(green(f"  as it should be: {expected}"))
    else:
        say(red(f"  not as it should be: expected {expected}, the view sagas says {', '.join(found)}; sagactl exit "
                f"{timeline.returncode} (logs in {folders.logs})"))
    return is_right


def _post(url: str, body: Mapping[str, object]) -> tuple[int, dict]:
    """The HTTP status and the JSON that came."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=CHECKOUT_S)
    try:
        connection.request("POST", "/checkout", json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        text = response.read().decode()
        return response.status, json.loads(text)
    except (OSError, http.client.HTTPException) as error:
        raise StackError(f"the checkout service at {url} does not answer: {error}") from None
    except ValueError:
        return response.status, {"body": text}
    finally:
        connection.close()


def _outcome(dsn: str, saga_id: str) -> tuple[str, ...]:
    row = psql(Login(dsn, dsn, ""), f"SELECT status || '|' || step FROM sagas WHERE saga_id::text = '{saga_id}'")
    return tuple(row.split("|")) if row else ("no such saga",)
