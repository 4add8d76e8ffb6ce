"""What caused what, written where no sidecar looks: to a file. Paths end in random ids that say nothing."""

import os
import secrets
import threading

_file = open(os.path.join(os.environ["TRUTH"], f"{os.getpid()}-{secrets.token_hex(4)}"), "w", buffering=1)
_guard = threading.Lock()

# what a request does: groups of calls, one group after the other, the calls of a group at the same time
ROUTES = {"both": [["a"], ["b"]], "fan": [["a", "b", "c"], ["a"]], "one": [["c"]]}


def groups(path):
    """The calls that a request makes: groups of (host, path)."""
    route = path.split("/")[1]
    return [[(callee, f"/item/{secrets.token_hex(8)}") for callee in group] for group in ROUTES[route]]


def note(request, call):
    """A request caused a call."""
    with _guard:
        _file.write(f"{request} {call}\n")
