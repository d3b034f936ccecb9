"""Messages of OTLP metrics by hand: protobuf bytes and JSON documents, with nothing but the standard library."""
import json
import struct

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
DELTA, CUMULATIVE = 1, 2


def varint(number):
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def message(field, content):
    return varint(field << 3 | 2) + varint(len(content)) + content


def number(field, value):
    return varint(field << 3) + varint(value)


def fixed(field, value):
    return varint(field << 3 | 1) + struct.pack("<d" if isinstance(value, float) else "<q", value)


def pair(key, text):
    return message(1, key.encode()) + message(2, message(1, text.encode()))


def point(time_ns, value, attributes=None):
    """NumberDataPoint: floats as as_double, integers as as_int."""
    labels = b"".join(message(7, pair(*item)) for item in (attributes or {}).items())
    return labels + fixed(3, time_ns) + fixed(4 if isinstance(value, float) else 6, value)


def metric(name, unit, field, data):
    return message(2, message(1, name.encode()) + message(3, unit.encode()) + message(field, data))


def gauge(name, *points, unit=""):
    return metric(name, unit, 5, b"".join(message(1, one) for one in points))


def counter(name, temporality, *points, unit=""):
    return metric(name, unit, 7, b"".join(message(1, one) for one in points) + number(2, temporality) + number(3, 1))


def histogram(name, time_ns, bounds, counts, total, unit=""):
    data = (fixed(3, time_ns) + fixed(4, sum(counts)) + fixed(5, total) + message(6, struct.pack(f"<{len(counts)}Q", *counts))
            + message(7, struct.pack(f"<{len(bounds)}d", *bounds)))
    return metric(name, unit, 9, message(1, data) + number(2, CUMULATIVE))


def exponential_histogram(name, time_ns):
    return metric(name, "", 10, message(1, fixed(3, time_ns)) + number(2, CUMULATIVE))


def request(metrics, resource=None):
    attributes = b"".join(message(1, pair(*item)) for item in (resource or {}).items())
    return message(1, message(1, attributes) + message(2, metrics))


def json_request(*metrics, resource=None):
    attributes = [{"key": key, "value": {"stringValue": text}} for key, text in (resource or {}).items()]
    return json.dumps({"resourceMetrics": [{"resource": {"attributes": attributes}, "scopeMetrics": [{"metrics": metrics}]}]})


def read_message(data):
    """field -> last value, of varints and bytes: enough for replies."""
    out, at = {}, 0

    def take():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = take()
        value = take()
        if tag & 7 == 2:
            value, at = data[at:at + value], at + value
        out[tag >> 3] = value
    return out
