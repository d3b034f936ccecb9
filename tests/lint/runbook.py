"""Checks of the runbook: what the daemon reports and what docs/operations.md explains are the same.

Log messages of level warning and above are taken from the sources as literals; the runbook quotes them as
    - log: `message`
Alert rules point into the runbook by heading; each alert has a test.
"""
import pathlib
import re

BOOK = pathlib.Path("docs/operations.md")
RULES = pathlib.Path("deploy/prometheus/rules/sensus.yml")
RULE_TESTS = pathlib.Path("deploy/prometheus/tests")

CALL = re.compile(r'\blog_?(?:\("\w+"\))?(?:\.|->)(warning|error|throttled|write)\s*\(')
# At which argument the message stands.
MESSAGE_AT = {"warning": 0, "error": 0, "throttled": 2, "write": 1}
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
# Said to the log through a variable: SQLSTATE table, one row a line, of the codes that are logged.
SQLSTATE = pathlib.Path("src/pg/sqlstate.cpp")
ADVICE_CODES = ("Errc::internal", "Errc::unavailable", "Errc::in_doubt")
# Messages that are no failures, each with the reason.
EXEMPT = {
    "request": "access log of successful requests, debug level",
    "request refused": "access log of 4xx, info level",
}
# Quoted in the runbook, but written without the log.
WRITTEN_OTHERWISE = {
    "sensusd: stopping took longer than service.shutdown_timeout; exiting": "straight to stderr by the exit guard",
}


def squeeze(text):
    return re.sub(r"\s+", " ", text).strip()


def arguments(text, start):
    """The arguments of the call whose opening parenthesis is at `start`."""
    depth, begin, parts, at = 0, start + 1, [], start
    while at < len(text):
        char = text[at]
        if char == '"':
            at = LITERAL.match(text, at).end()
            continue
        if char in "({[":
            depth += 1
        elif char in ")}]":
            depth -= 1
            if depth == 0:
                return [*parts, text[begin:at]]
        elif char == "," and depth == 1:
            parts.append(text[begin:at])
            begin = at + 1
        at += 1
    return parts


def literals(expression):
    """Adjacent literals are one message; those apart (a ?: or a sum) are several."""
    out, end = [], None
    for found in LITERAL.finditer(expression):
        if end is not None and not expression[end:found.start()].strip():
            out[-1] += found[1]
        else:
            out.append(found[1])
        end = found.end()
    return [squeeze(text) for text in out]


def logged_messages():
    """(where, message) of everything that is logged as a failure."""
    for path in sorted(pathlib.Path("src").rglob("*.cpp")):
        text = path.read_text()
        for call in CALL.finditer(text):
            parts = arguments(text, call.end() - 1)
            at = MESSAGE_AT[call[1]]
            if len(parts) <= at:
                continue
            for message in literals(parts[at]):
                yield f"{path}:{text.count(chr(10), 0, call.start()) + 1}", message
    text = SQLSTATE.read_text()
    constants = dict(re.findall(r'string_view (k\w+) = "([^"]+)"', text))
    for row in re.findall(r"Row\{(.*?)\}\}", text, re.S):
        if row.startswith('"') and any(code in row for code in ADVICE_CODES):
            last = row.rsplit(",", 1)[1].strip()
            yield str(SQLSTATE), constants.get(last) or literals(row)[-1]
    for fallback in re.findall(r'return \{Errc::internal,[^}]*"([^"]+)"\}', text):
        yield str(SQLSTATE), fallback
    for path in (pathlib.Path("src/pg/runner.cpp"), pathlib.Path("src/pg/bulk_session.cpp")):
        for advice in re.findall(r'verdict\.advice =\s*"([^"]+)"|"(the connection to the database was lost)"', path.read_text()):
            yield str(path), advice[0] or advice[1]


def slug(heading):
    """The anchor that a heading gets on code hosts."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def runbook():
    book = BOOK.read_text()
    quoted = {squeeze(text) for text in re.findall(r"- log: `([^`]+)`", book)}
    known = set(WRITTEN_OTHERWISE)
    for where, message in logged_messages():
        known.add(message)
        if message not in EXEMPT and message not in quoted:
            yield f"{where}: not in {BOOK} as - log: `{message}`"
    for message in sorted(quoted - known):
        yield f"{BOOK}: nothing logs `{message}`"
    anchors = {slug(heading) for heading in re.findall(r"^#+ (.+)$", book, re.M)}
    for target in re.findall(r"\]\(#([^)]+)\)", book):
        if target not in anchors:
            yield f"{BOOK}: no heading for #{target}"
    yield from rules(anchors, book)


def rules(anchors, book):
    tests = "".join(path.read_text() for path in RULE_TESTS.glob("*.yml"))
    for block in re.split(r"^\s*- alert: ", RULES.read_text(), flags=re.M)[1:]:
        name = block.split(None, 1)[0]
        link = re.search(r"runbook_url: docs/operations\.md#(\S+)", block)
        if not link or link[1] not in anchors:
            yield f"{RULES}: {name} has no runbook_url that leads to a heading of {BOOK}"
        for key in ("severity:", "summary:", "description:"):
            if key not in block:
                yield f"{RULES}: {name} has no {key[:-1]}"
        if f"`{name}`" not in book:
            yield f"{BOOK}: does not name the alert {name}"
        if f'alertname="{name}"' not in tests:
            yield f"{RULE_TESTS}: does not test {name}"
