"""Calls one front after the other, USERS people at a time, each of whom thinks between two requests: REQUESTS of each."""

import http.client
import os
import random
import secrets
import threading
import time

FRONTS = os.environ.get("FRONTS", "threads asyncio gunicorn node go").split()
REQUESTS = int(os.environ.get("REQUESTS", "2000"))
USERS = int(os.environ.get("USERS", "8"))
THINK = float(os.environ.get("THINK_MS", "20")) / 1000


def wait_for(front):
    """Until it answers as it should, and so do those that it calls."""
    while True:
        connection = http.client.HTTPConnection(front, 8080, timeout=30)
        try:
            connection.request("GET", f"/fan/{secrets.token_hex(8)}")
            if connection.getresponse().status == 200:
                return
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.5)


def person(front, number):
    chance = random.Random(number)
    connection = http.client.HTTPConnection(front, 8080, timeout=30)
    for _ in range(REQUESTS // USERS):
        time.sleep(chance.expovariate(1 / THINK))
        try:
            connection.request("GET", f"/{chance.choice(['both', 'fan', 'one'])}/{secrets.token_hex(8)}")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException) as error:
            print(f"{front}: {error!r}", flush=True)
            connection.close()


for front in FRONTS:
    wait_for(front)
for front in FRONTS:
    started = time.monotonic()
    people = [threading.Thread(target=person, args=(front, number)) for number in range(USERS)]
    for one in people:
        one.start()
    for one in people:
        one.join()
    print(f"{front}: {REQUESTS} requests in {time.monotonic() - started:.1f} s", flush=True)
print("LOAD DONE", flush=True)
# what is known late is still to be sent
time.sleep(float(os.environ.get("LINGER", "3600")))
