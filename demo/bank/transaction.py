"""Transaction: books every movement of money, then has it entered into the balance.

Now and then its paper runs out before anything is entered: the movement fails with 500 and no money has moved.
"""

import itertools
import threading
from collections import deque

from service import say, serve, setting, tell

BALANCE = setting("BALANCE", "balance:8080")
FAIL_EVERY = int(setting("FAIL_EVERY", "23"))

numbers = itertools.count(1)
attempts = itertools.count(1)
guard = threading.Lock()
# the newest bookings; older ones are in the basement
book = deque(maxlen=1000)


def booking(movement):
    try:
        number, cents = int(movement["account"]), int(movement["amount"])
    except (KeyError, TypeError, ValueError):
        return 400, {"error": 'a transaction is {"account": number, "amount": cents}'}
    with guard:
        if FAIL_EVERY and next(attempts) % FAIL_EVERY == 0:
            say(f"out of paper: {cents} for account {number} was not booked")
            return 500, {"error": "out of paper"}
        transaction = f"t{next(numbers):06}"
    status, entered = tell(BALANCE, f"/accounts/{number}/entries", {"amount": cents})
    with guard:
        book.append({"transaction": transaction, "account": number, "amount": cents, "status": status})
    if status != 200:
        return status, entered
    return 201, {"transaction": transaction, "balance": entered["balance"]}


def newest(_):
    with guard:
        return 200, list(book)[-20:]


if __name__ == "__main__":
    serve("transaction", [("POST", r"/transactions", booking), ("GET", r"/transactions", newest)])
