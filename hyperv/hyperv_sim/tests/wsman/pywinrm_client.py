"""pywinrm's WS-Man layer against the service: `pywinrm_client.py PORT USER WHAT`.

The password comes from SERVICE_PASSWORD. WHAT is `checks`, `wrong-password` or `clear-text`.
"""

import os
import sys
import xml.etree.ElementTree as ET

import xmltodict
from winrm.exceptions import InvalidCredentialsError, WinRMTransportError
from winrm.protocol import Protocol

import checks


def connect(port, user, password, encryption):
    return Protocol(
        "http://127.0.0.1:%s/wsman" % port,
        transport="ntlm",
        username=user,
        password=password,
        message_encryption=encryption,
    )


def sender(protocol):
    def send(action, resource_uri, body, selectors):
        header = protocol._get_soap_header(action=action, resource_uri=resource_uri)
        chosen = [{"@Name": name, "#text": text} for name, text in (selectors or {}).items()]
        if chosen:
            header["env:Header"]["w:SelectorSet"] = {"w:Selector": chosen}
        envelope = ET.fromstring(xmltodict.unparse({"env:Envelope": header}))
        holder = ET.SubElement(envelope, checks.tag("s", "Body"))
        if body is not None:
            holder.append(body)
        return ET.fromstring(protocol.send_message(ET.tostring(envelope, encoding="utf-8")))

    return send


def main(port, user, what):
    password = os.environ["SERVICE_PASSWORD"]
    if what == "checks":
        checks.run(sender(connect(port, user, password, "always")))
    elif what == "wrong-password":
        try:
            checks.check_query(sender(connect(port, user, "wrong", "always")))
        except InvalidCredentialsError:
            print("refused")
    elif what == "clear-text":
        try:
            checks.check_query(sender(connect(port, user, password, "never")))
        except WinRMTransportError as error:
            print("refused with", error.code)


main(*sys.argv[1:])
