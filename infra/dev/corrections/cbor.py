"""CloudWatch as current SDKs call it: Smithy's RPC v2 with CBOR bodies, which moto does not speak.

Each call is passed on in the query protocol, so that it meets the same faults and is counted like any other, and its XML answer
is turned into CBOR.
"""

import datetime
import io
import re
from urllib.parse import urlencode
from xml.etree import ElementTree

import cbor2

PATH = re.compile(r"^/service/GraniteServiceVersion20100801/operation/(\w+)$")
VERSION = "2010-08-01"
# The parts of an answer that are no text, by their names in the service's model.
LISTS = {"MetricDataResults", "Timestamps", "Values", "Messages", "Metrics", "Dimensions", "Datapoints"}
NUMBERS = {"Values", "Sum", "Average", "Minimum", "Maximum", "SampleCount"}
TIMES = {"Timestamps", "Timestamp"}


class CborCalls:
    def __init__(self, application):
        self.application = application

    def __call__(self, environ, start_response):
        # Fault: moto answers this protocol's paths with 404.
        called = PATH.match(environ.get("PATH_INFO", ""))
        if not called:
            return self.application(environ, start_response)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        parameters = cbor2.loads(environ["wsgi.input"].read(length) or b"\xa0")
        form = urlencode({"Action": called.group(1), "Version": VERSION, **flattened(parameters)}).encode()
        inner = environ | {
            "PATH_INFO": "/",
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(form)),
            "wsgi.input": io.BytesIO(form),
        }
        for header in ("HTTP_SMITHY_PROTOCOL", "HTTP_ACCEPT"):
            inner.pop(header, None)
        status = []
        body = b"".join(self.application(inner, lambda line, headers, *_: status.append(line)))
        payload = cbor2.dumps(answer(body), datetime_as_timestamp=True, timezone=datetime.timezone.utc)
        headers = [
            ("Content-Type", "application/cbor"),
            ("Content-Length", str(len(payload))),
            ("smithy-protocol", "rpc-v2-cbor"),
        ]
        start_response(status[0], headers)
        return [payload]


def flattened(value, prefix=""):
    """Nested parameters in the query protocol's dotted names."""
    if isinstance(value, dict):
        pairs = ((f"{prefix}.{key}" if prefix else key, inner) for key, inner in value.items())
    elif isinstance(value, list):
        pairs = ((f"{prefix}.member.{number}", inner) for number, inner in enumerate(value, 1))
    elif isinstance(value, datetime.datetime):
        return {prefix: value.strftime("%Y-%m-%dT%H:%M:%SZ")}
    else:
        return {prefix: str(value).lower() if isinstance(value, bool) else value}
    found = {}
    for name, inner in pairs:
        found |= flattened(inner, name)
    return found


def answer(xml):
    root = ElementTree.fromstring(xml)
    if (code := root.find(".//{*}Code")) is not None:
        message = root.find(".//{*}Message")
        return {"__type": f"com.amazonaws.cloudwatch#{code.text}", "message": message.text if message is not None else ""}
    results = [child for child in root if name_of(child).endswith("Result")]
    return {name_of(child): value_of(child) for child in results[0]} if results else {}


def value_of(element, kind=None):
    kind = kind or name_of(element)
    members = list(element)
    if kind in LISTS and name_of(element) != "member":
        return [value_of(member, kind) for member in members]
    if members:
        return {name_of(member): value_of(member) for member in members}
    text = element.text or ""
    if kind in NUMBERS:
        return float(text)
    if kind in TIMES:
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return text


def name_of(element):
    return element.tag.rpartition("}")[2]
