"""Account: which account belongs to which customer."""

from service import ask, serve, setting

CUSTOMER = setting("CUSTOMER", "customer:8080")

OWNERS = {1: "c1", 2: "c1", 3: "c2", 4: "c3", 5: "c3", 6: "c4", 7: "c4", 8: "c5"}


def account(number, _):
    owner = OWNERS.get(int(number))
    if owner is None:
        return 404, {"error": "no such account"}
    status, holder = ask(CUSTOMER, f"/customers/{owner}")
    if status != 200:
        return status, holder
    return 200, {"id": int(number), "holder": holder}


if __name__ == "__main__":
    serve("account", [("GET", r"/accounts/(\d{1,9})", account)])
