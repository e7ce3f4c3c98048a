"""pypsrp's WS-Man layer against the service: `pypsrp_client.py PORT USER WHAT`.

The password comes from SERVICE_PASSWORD. WHAT is `checks`, `wrong-password` or `clear-text`.
"""

import os
import sys

from pypsrp.exceptions import AuthenticationError, WinRMTransportError
from pypsrp.wsman import SelectorSet, WSMan

import checks


def connect(port, user, password, encryption="always"):
    return WSMan(
        "127.0.0.1",
        port=int(port),
        username=user,
        password=password,
        ssl=False,
        auth="negotiate",
        encryption=encryption,
        max_envelope_size=512000,
    )


def sender(wsman):
    def send(action, resource_uri, body, selectors):
        chosen = None
        if selectors:
            chosen = SelectorSet()
            for name, text in selectors.items():
                chosen.add_option(name, text)
        return wsman.invoke(action, resource_uri, body, selector_set=chosen)

    return send


def main(port, user, what):
    password = os.environ["SERVICE_PASSWORD"]
    if what == "checks":
        checks.run(sender(connect(port, user, password)))
    elif what == "wrong-password":
        try:
            checks.check_query(sender(connect(port, user, "wrong")))
        except AuthenticationError:
            print("refused")
    elif what == "clear-text":
        try:
            checks.check_query(sender(connect(port, user, password, "never")))
        except WinRMTransportError as error:
            print("refused with", error.code)


main(*sys.argv[1:])
