"""What an independent client asks of the service, whichever library sends it.

A library is given as `send(action, resource_uri, body, selectors)`, which returns the answer's
root element, or raises with the fault's text in the message.
"""

import xml.etree.ElementTree as ET

NAMES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "n": "http://schemas.xmlsoap.org/ws/2004/09/enumeration",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "cim": "http://schemas.dmtf.org/wbem/wscim/1/common",
}
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
CLASSES = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/virtualization/v2"
WQL = "http://schemas.microsoft.com/wbem/wsman/1/WQL"
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
SERVICE = "Msvm_VirtualSystemSnapshotService"
SETTINGS = '<INSTANCE CLASSNAME="X"><PROPERTY NAME="A &amp; B"/></INSTANCE>'


def tag(prefix, name):
    return "{%s}%s" % (NAMES[prefix], name)


def child(parent, prefix, name, text=None, **attributes):
    element = ET.SubElement(parent, tag(prefix, name), attributes)
    element.text = text
    return element


def enumerate_body(mode=None, wql=None, elements=None):
    body = ET.Element(tag("n", "Enumerate"))
    if elements is not None:
        child(body, "w", "OptimizeEnumeration")
        child(body, "w", "MaxElements", str(elements))
    if wql is not None:
        child(body, "w", "Filter", wql, Dialect=WQL)
    if mode is not None:
        child(body, "w", "EnumerationMode", mode)
    return body


def context_body(name, context, elements=None):
    body = ET.Element(tag("n", name))
    child(body, "n", "EnumerationContext", context)
    if elements is not None:
        child(body, "n", "MaxElements", str(elements))
    return body


def properties(element):
    """Texts of an instance's properties; a name that comes again makes a list."""
    found = {}
    for one in element:
        name = one.tag.split("}")[1]
        date = one.find("cim:Datetime", NAMES)
        text = None if one.get(NIL) == "true" else (one.text if date is None else date.text)
        if name in found:
            first = found[name]
            found[name] = (first if isinstance(first, list) else [first]) + [text]
        else:
            found[name] = text
    return found


def selectors_of(reference):
    found = reference.findall(".//w:Selector", NAMES)
    return {one.get("Name"): one.text for one in found}


def check_class(send):
    answer = send(
        NAMES["n"] + "/Enumerate",
        CLASSES + "/Msvm_ComputerSystem",
        enumerate_body("EnumerateObjectAndEPR", elements=50),
        None,
    )
    items = answer.findall(".//w:Items/w:Item", NAMES)
    assert len(items) == 3, len(items)
    assert answer.find(".//w:EndOfSequence", NAMES) is not None
    values = properties(items[2][0])
    assert values["Name"] == "B\\2", values
    assert values["ElementName"] == 'VM <B\\2> & "\u00fcml\u00e4ut"', values
    assert values["ProcessID"] == str(2**64 - 1), values
    assert values["OperationalStatus"] == ["2", "11"], values
    assert values["Caption"] is None, values
    assert values["InstallDate"] == "2026-11-21T03:22:00.5Z", values
    keys = selectors_of(items[2][1])
    assert keys["Name"] == "B\\2", keys
    assert keys["CreationClassName"] == "Msvm_ComputerSystem", keys
    return {"CreationClassName": "Msvm_ComputerSystem", "Name": "B\\2"}


def check_query(send):
    wql = "SELECT * FROM Msvm_ComputerSystem WHERE Name = 'A-1'"
    answer = send(
        NAMES["n"] + "/Enumerate", CLASSES + "/*", enumerate_body(wql=wql, elements=9), None
    )
    items = answer.find(".//w:Items", NAMES)
    assert [properties(one)["Name"] for one in items] == ["A-1"]


def check_pull(send):
    uri = CLASSES + "/Msvm_Many"
    answer = send(NAMES["n"] + "/Enumerate", uri, enumerate_body(), None)
    context = answer.find(".//n:EnumerationContext", NAMES).text
    numbers, answers = [], 0
    while context:
        answer = send(NAMES["n"] + "/Pull", uri, context_body("Pull", context, 400), None)
        items = answer.find(".//n:Items", NAMES)
        numbers += [int(properties(one)["Number"]) for one in items]
        answers += 1
        ended = answer.find(".//n:EndOfSequence", NAMES) is not None
        context = None if ended else answer.find(".//n:EnumerationContext", NAMES).text
    assert numbers == list(range(2500)), len(numbers)
    assert answers == 7, answers


def check_release(send):
    uri = CLASSES + "/Msvm_Many"
    answer = send(NAMES["n"] + "/Enumerate", uri, enumerate_body(), None)
    context = answer.find(".//n:EnumerationContext", NAMES).text
    send(NAMES["n"] + "/Release", uri, context_body("Release", context), None)
    fails(send, "not valid", NAMES["n"] + "/Pull", uri, context_body("Pull", context), None)


def check_get(send, selectors):
    answer = send(TRANSFER + "/Get", CLASSES + "/Msvm_ComputerSystem", None, selectors)
    assert properties(answer.find("s:Body", NAMES)[0])["Name"] == "B\\2"
    gone = dict(selectors, Name="gone")
    fails(
        send,
        "cannot find the resource",
        TRANSFER + "/Get",
        CLASSES + "/Msvm_ComputerSystem",
        None,
        gone,
    )


def check_method(send, selectors):
    uri = CLASSES + "/" + SERVICE
    body = ET.Element("{%s}CreateSnapshot_INPUT" % uri)
    system = ET.SubElement(body, "{%s}AffectedSystem" % uri)
    child(system, "a", "Address", "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous")
    parameters = child(system, "a", "ReferenceParameters")
    child(parameters, "w", "ResourceURI", CLASSES + "/Msvm_ComputerSystem")
    chosen = child(parameters, "w", "SelectorSet")
    child(chosen, "w", "Selector", "root/virtualization/v2", Name="__cimnamespace")
    for name, value in selectors.items():
        child(chosen, "w", "Selector", value, Name=name)
    ET.SubElement(body, "{%s}SnapshotSettings" % uri).text = SETTINGS
    for path in ["C:\\a b.vhdx", "D:\\c.vhdx"]:
        ET.SubElement(body, "{%s}Paths" % uri).text = path
    service = {"CreationClassName": SERVICE}
    answer = send(uri + "/CreateSnapshot", uri, body, service)
    output = answer.find("s:Body", NAMES)[0]
    assert output.tag == "{%s}CreateSnapshot_OUTPUT" % uri, output.tag
    values = properties(output)
    assert values["ReturnValue"] == "4096", values
    assert values["Settings"] == SETTINGS, values
    assert values["Paths"] == ["C:\\a b.vhdx", "D:\\c.vhdx"], values
    job = selectors_of(output.find("{%s}Job" % uri))
    assert job == {"__cimnamespace": "root/virtualization/v2", "InstanceID": "JOB-1"}, job
    affected = selectors_of(output.find("{%s}Affected" % uri))
    assert affected["Name"] == "B\\2", affected
    body = ET.Element("{%s}Unknown_INPUT" % uri)
    fails(send, "does not support the action", uri + "/Unknown", uri, body, service)


def check_faults(send):
    body = enumerate_body(wql="SELECT * FROM Msvm_Unknown", elements=1)
    fails(send, "does not exist", NAMES["n"] + "/Enumerate", CLASSES + "/*", body, None)
    other = CLASSES.replace("virtualization", "elsewhere")
    body = enumerate_body(elements=1)
    fails(send, "namespace", NAMES["n"] + "/Enumerate", other + "/X", body, None)
    body = ET.Element("{urn:x}X")
    fails(send, "not support", TRANSFER + "/Put", CLASSES + "/Msvm_Many", body, None)


def fails(send, text, *request):
    try:
        send(*request)
    except Exception as error:  # each library has its own
        assert text in str(error), str(error)
    else:
        raise AssertionError("no fault: " + text)


def run(send):
    selectors = check_class(send)
    check_query(send)
    check_pull(send)
    check_release(send)
    check_get(send, selectors)
    check_method(send, selectors)
    check_faults(send)
    print("all checks passed")
