"""Load: the bank's customers. Deposits, withdrawals and questions for the balance, in a fixed order for a seed.

RATE requests a second (default 2) by CONCURRENCY people (default 1, each waiting for its answer before the next
request), REQUESTS in all (default 0: for ever). Prints a line for what went wrong and a summary every half minute.
"""

import collections
import http.client
import json
import os
import random
import threading
import time

EDGE = os.environ.get("EDGE", "edge:8080")
RATE = float(os.environ.get("RATE", "2"))
CONCURRENCY = int(os.environ.get("CONCURRENCY", "1"))
REQUESTS = int(os.environ.get("REQUESTS", "0"))
SEED = int(os.environ.get("SEED", "1"))
ACCOUNTS = 8
SUMMARY_EVERY = 30.0

outcomes = collections.Counter()
guard = threading.Lock()


def say(line):
    print(line, flush=True)


def wishes(seed):
    """What one person wants of the bank, without end: (method, path, document)."""
    chance = random.Random(seed)
    while True:
        account = chance.randint(1, ACCOUNTS)
        kind = chance.choices(["deposit", "withdraw", "balance"], [4, 3, 3])[0]
        if kind == "balance":
            yield "GET", f"/accounts/{account}/balance", None
        else:
            # one withdrawal in a few asks for more than anybody has
            cents = 10_000_000 if kind == "withdraw" and chance.random() < 0.15 else chance.randint(1, 200) * 100
            yield "POST", f"/accounts/{account}/{kind}", {"amount": cents}


def person(number):
    wanted = wishes(SEED * 1000 + number)
    share = REQUESTS // CONCURRENCY + (1 if number < REQUESTS % CONCURRENCY else 0)
    connection = http.client.HTTPConnection(EDGE, timeout=30)
    asked = 0
    while REQUESTS == 0 or asked < share:
        asked += 1
        method, path, document = next(wanted)
        started = time.monotonic()
        try:
            body = None if document is None else json.dumps(document)
            connection.request(method, path, body, {"content-type": "application/json"} if body else {})
            response = connection.getresponse()
            answer = json.loads(response.read())
            outcome = response.status
            if outcome >= 400:
                say(f"{method} {path} {body or ''} -> {outcome} {answer.get('error')}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            outcome = "unanswered"
            say(f"{method} {path} -> {error}")
        with guard:
            outcomes[outcome] += 1
        time.sleep(max(0.0, CONCURRENCY / RATE - (time.monotonic() - started)))


def summary():
    with guard:
        counted = ", ".join(f"{count} x {outcome}" for outcome, count in sorted(outcomes.items(), key=str))
    say(f"so far: {counted or 'nothing'}")


def wait_at_the_door():
    """Waits until the whole bank is open: until a cent can be put into account 1."""
    while True:
        connection = http.client.HTTPConnection(EDGE, timeout=30)
        try:
            connection.request("POST", "/accounts/1/deposit", '{"amount": 1}', {"content-type": "application/json"})
            if connection.getresponse().status == 200:
                return
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.5)


def main():
    wait_at_the_door()
    say("the bank is open")
    people = [threading.Thread(target=person, args=(number,), daemon=True) for number in range(CONCURRENCY)]
    for one in people:
        one.start()
    spoken = time.monotonic()
    while any(one.is_alive() for one in people):
        time.sleep(0.2)
        if time.monotonic() - spoken > SUMMARY_EVERY:
            spoken = time.monotonic()
            summary()
    summary()


if __name__ == "__main__":
    main()
