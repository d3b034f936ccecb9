"""Is /openapi.json true? Calls every route of a running daemon, with good and bad input, and validates status, content type and body
against the document. Usage: openapi_check.py BASE_URL. Needs python3-jsonschema."""
import http.client
import json
import os
import re
import socket
import sys
import urllib.parse

try:
    import jsonschema
except ImportError:
    # Debian's package belongs to Debian's interpreter, which need not be the first on PATH.
    if os.path.realpath(sys.executable) == os.path.realpath("/usr/bin/python3"):
        raise
    os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])

TIMEOUT_S = 15
FORMATS = jsonschema.FormatChecker(formats=())
DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")


@FORMATS.checks("date-time")
def is_date_time(value):
    return not isinstance(value, str) or DATE_TIME.fullmatch(value) is not None


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        self.content_type = headers.get("Content-Type", "")


class Checker:
    def __init__(self, base_url):
        self.url = urllib.parse.urlsplit(base_url)
        self.failures = []
        self.replies = 0
        self.covered = set()
        reply = self.request("GET", "/openapi.json")
        self.document = json.loads(reply.body)
        self.validators = {}

    def fail(self, what):
        self.failures.append(what)

    # --- requests

    def request(self, method, target, body=None, headers=None):
        connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=TIMEOUT_S)
        try:
            connection.request(method, target, body, headers or {})
            reply = connection.getresponse()
            if reply.getheader("Content-Type", "").startswith("text/event-stream"):
                return Reply(reply.status, reply.headers, reply.fp.readline())
            return Reply(reply.status, reply.headers, reply.read())
        finally:
            connection.close()

    def announce_oversized(self, path):
        """Announces a body that nobody would take; the answer must come without it."""
        with socket.create_connection((self.url.hostname, self.url.port), timeout=TIMEOUT_S) as connection:
            connection.sendall(f"POST {path} HTTP/1.1\r\nHost: check\r\nContent-Type: application/json\r\n"
                               f"Content-Length: {1 << 40}\r\n\r\n".encode())
            reply = http.client.HTTPResponse(connection, method="POST")
            reply.begin()
            return Reply(reply.status, reply.headers, reply.read())

    # --- the document

    def component(self, reference):
        node = self.document
        for key in reference.removeprefix("#/").split("/"):
            node = node[key]
        return node

    def validator(self, schema):
        key = json.dumps(schema, sort_keys=True)
        if key not in self.validators:
            self.validators[key] = jsonschema.Draft202012Validator(
                {**schema, "components": self.document["components"]}, format_checker=FORMATS)
        return self.validators[key]

    def operations(self):
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                yield method.upper(), path, operation

    def check_document(self):
        for name, schema in self.document["components"]["schemas"].items():
            try:
                jsonschema.Draft202012Validator.check_schema(schema)
            except jsonschema.SchemaError as error:
                self.fail(f"schema {name}: {error.message}")
            for example in schema.get("examples", []):
                self.check_value({"$ref": f"#/components/schemas/{name}"}, example, f"example of schema {name}")
        for method, path, operation in self.operations():
            for reference in self.body_examples(operation).values():
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                self.check_value(schema, reference["value"], f"example of {method} {path}")

    def check_value(self, schema, value, where):
        for error in self.validator(schema).iter_errors(value):
            place = "/".join(str(part) for part in error.absolute_path)
            self.fail(f"{where}: at /{place}: {error.message[:300]}")

    def check_reply(self, operation, reply, where, expected=None):
        """The status is documented, and so are the content type and the body of that status."""
        self.replies += 1
        where = f"{where} -> {reply.status}"
        if expected is not None and reply.status not in expected:
            self.fail(f"{where}: expected {' or '.join(map(str, sorted(expected)))}: {reply.body[:300]!r}")
            return
        documented = operation["responses"].get(str(reply.status))
        if documented is None:
            self.fail(f"{where}: this status is not documented: {reply.body[:300]!r}")
            return
        if "$ref" in documented:
            documented = self.component(documented["$ref"])
        self.covered.add((operation["operationId"], reply.status))
        for name, header in documented.get("headers", {}).items():
            if header.get("required") and name not in reply.headers:
                self.fail(f"{where}: the header {name} is missing")
        content = documented.get("content", {})
        if reply.content_type not in content:
            self.fail(f"{where}: content type {reply.content_type!r} is not documented ({', '.join(content)})")
            return
        text = reply.body.decode()
        value = json.loads(text) if reply.content_type.split(";")[0].endswith("json") else text
        self.check_value(content[reply.content_type]["schema"], value, where)
        if reply.status >= 400 and reply.content_type == "application/problem+json":
            if value["status"] != reply.status:
                self.fail(f"{where}: the problem says status {value['status']}")
            if "X-Request-Id" not in reply.headers:
                self.fail(f"{where}: no X-Request-Id")

    def body_examples(self, operation):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        return {name: self.component(example["$ref"]) for name, example in content.get("examples", {}).items()}

    # --- what is called

    @staticmethod
    def values_of(parameter):
        example = parameter.get("example")
        return [] if example is None else example if isinstance(example, list) else [example]

    def path_of(self, path, operation, ids):
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path":
                value = ids.get(path, self.values_of(parameter)[0])
                path = path.replace("{" + parameter["name"] + "}", urllib.parse.quote(str(value)))
        return path

    def query_parameters(self, operation):
        return [p for p in operation.get("parameters", []) if p["in"] == "query"]

    def required_query(self, operation):
        # A range says by metric or by query which series: a document can require one of two in words only.
        chosen = {"queryRange": "metric"}.get(operation["operationId"])
        return [(p["name"], self.values_of(p)[0]) for p in self.query_parameters(operation) if p["required"] or p["name"] == chosen]

    def known_ids(self):
        """Ids that exist, so that detail routes answer 200 where there are rows."""
        ids = {}
        for path in ("/api/v1/alerts",):
            items = json.loads(self.request("GET", path + "?limit=1").body).get("items", [])
            if items:
                ids[path + "/{id}"] = items[0]["id"]
        return ids

    def check_get(self, path, operation, ids):
        target = self.path_of(path, operation, ids)
        required = self.required_query(operation)
        # Probes may say that something is away: that is an answer too.
        probe = "operate" in operation["tags"]
        expected = {200, 503} if probe else {200, 404} if "404" in operation["responses"] else {200}

        def call(query, headers=None, wanted=None):
            where = "GET " + target + ("?" + urllib.parse.urlencode(query) if query else "")
            reply = self.request("GET", where.removeprefix("GET "), headers=headers)
            self.check_reply(operation, reply, where, expected if wanted is None else wanted)
            return reply

        call(required)
        for parameter in self.query_parameters(operation):
            for value in self.values_of(parameter):
                others = [pair for pair in required if pair[0] != parameter["name"]]
                call([*others, *self.other_bound(parameter["name"]), (parameter["name"], value)])
        if "400" in operation["responses"]:
            call([*required, ("no_such_parameter", "1")], wanted={400})
            for parameter in self.query_parameters(operation):
                for bad in self.bad_values(parameter):
                    call([*[pair for pair in required if pair[0] != parameter["name"]], (parameter["name"], bad)], wanted={400})
            for name, _ in required:
                call([pair for pair in required if pair[0] != name], wanted={400})
        if "406" in operation["responses"]:
            call(required, {"Accept": "image/png"}, {406})
        if any(parameter["name"] == "cursor" for parameter in self.query_parameters(operation)):
            self.check_cursor(target, operation, required)

    @staticmethod
    def other_bound(name):
        """One bound of a range alone could fall on the wrong side of the other's default."""
        return {"to": [("from", "2026-11-20T07:00:00Z")], "end": [("from", "2026-11-20T07:00:00Z")],
                "from": [("to", "2026-11-20T11:00:00Z")], "start": [("to", "2026-11-20T11:00:00Z")]}.get(name, [])

    def check_cursor(self, target, operation, required):
        reply = self.request("GET", target + "?" + urllib.parse.urlencode([*required, ("limit", 1)]))
        cursor = json.loads(reply.body)["next_cursor"]
        if cursor:
            query = urllib.parse.urlencode([*required, ("limit", 1), ("cursor", cursor)])
            self.check_reply(operation, self.request("GET", f"{target}?{query}"), f"GET {target}?{query}", {200})

    def bad_values(self, parameter):
        schema = parameter["schema"]
        schema = schema.get("items", schema)
        name = schema.get("$ref", "").split("/")[-1]
        if name:
            return {"TimeParam": ["yesterday", ""], "DurationParam": ["soon", "-1"], "Matcher": ["nothing", ""], "SeriesMatcher": ["nothing", ""], "Selector": ["f(x)", ""],
                    "Cursor": ["!", "AAAA"]}[name]
        if schema["type"] in ("integer", "number"):
            above = [schema["maximum"] + 1] if schema["maximum"] < 1 << 62 else []
            return ["x", "", schema["minimum"] - 1, *above]
        return ["no such choice", ""] if "enum" in schema else ["", "x" * (schema["maxLength"] + 1)]

    def check_post(self, path, operation):
        for name, example in self.body_examples(operation).items():
            reply = self.request("POST", path, json.dumps(example["value"]), {"Content-Type": "application/json"})
            wanted = {200, 202, 404} if "404" in operation["responses"] else {200, 202}
            self.check_reply(operation, reply, f"POST {path} ({name})", wanted)
        if not self.body_examples(operation):
            self.check_reply(operation, self.request("POST", path), f"POST {path}")
            return
        bad = ["{", "", "null", "7", '"x"', "[" * 40 + "]" * 40, b"\xff", '{"a":1}', '{"a":NaN}']
        for body in bad:
            reply = self.request("POST", path, body, {"Content-Type": "application/json"})
            self.check_reply(operation, reply, f"POST {path} ({body!r:.40})", {200} if self.is_valid(operation, body) else {400})
        reply = self.request("POST", path, "{}", {"Content-Type": "text/html"})
        self.check_reply(operation, reply, f"POST {path} (text/html)", {415})
        self.check_reply(operation, self.announce_oversized(path), f"POST {path} (1 TiB announced)", {413})

    def is_valid(self, operation, body):
        """Protocols whose unknown members are ignored take what to others is nonsense."""
        try:
            value = json.loads(body, parse_constant=int)  # NaN is no JSON, and no int either.
        except ValueError:
            return False
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        return self.validator(schema).is_valid(value)

    def check_problem(self, method, target, expected, headers=None):
        """A refusal that belongs to no operation."""
        self.replies += 1
        reply = self.request(method, target, headers=headers)
        where = f"{method} {target} -> {reply.status}"
        if reply.status != expected or reply.content_type != "application/problem+json":
            self.fail(f"{where}: expected {expected} as a problem, got {reply.content_type}")
            return reply
        self.check_value({"$ref": "#/components/schemas/Problem"}, json.loads(reply.body), where)
        return reply

    def run(self):
        self.check_document()
        for method, path, operation in self.operations():
            if method == "POST":
                self.check_post(self.path_of(path, operation, {}), operation)
        ids = self.known_ids()
        for method, path, operation in self.operations():
            if method == "GET":
                self.check_get(path, operation, ids)
        for path, item in self.document["paths"].items():
            target = re.sub(r"\{[^}]*\}", "1", path)
            reply = self.check_problem("DELETE", target, 405)
            missing = {name.upper() for name in item} - set(re.split(r",\s*", reply.headers.get("Allow", "")))
            if missing:
                self.fail(f"DELETE {target}: Allow does not name {', '.join(missing)}")
        self.check_problem("GET", "/no/such/route", 404)
        self.check_problem("GET", "/api/v1/alerts/9223372036854775807", 404)
        self.check_problem("GET", "/api/v1/alerts/zero", 400)
        called = {operation for operation, _ in self.covered}
        for _, path, operation in self.operations():
            if operation["operationId"] not in called:
                self.fail(f"{path}: no documented answer was seen")


def main():
    checker = Checker(sys.argv[1])
    checker.run()
    for failure in checker.failures:
        print("FAIL", failure)
    count = sum(1 for _ in checker.operations())
    print(f"{checker.replies} replies of {count} operations checked, {len(checker.failures)} wrong")
    return 1 if checker.failures else 0


if __name__ == "__main__":
    sys.exit(main())
