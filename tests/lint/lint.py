"""Rules of the house that a compiler does not check. Usage: lint.py CHECK, from the top of the tree.

layers       a module includes strictly lower layers only (cmake/Layers.cmake)
third_party  a library's headers appear only in the modules that own it, never in public headers
sizes        no source file beyond the hard limit of lines
leftovers    nothing unfinished, no test that is skipped
runbook      what is logged as a failure and what an alert rule says stands in docs/operations.md
"""
import pathlib
import re
import sys

from runbook import runbook

ROOT = pathlib.Path(".")
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.M)

# header prefix -> modules whose .cpp files may include it; public headers never do.
OWNERS = {
    "boost/beast": {"http"},
    "pqxx/": {"pg"},
    "libpq-fe.h": {"pg"},
    "hiredis/": {"redis"},
    "yaml-cpp/": {"config"},
    "spdlog/": {"telemetry"},
    "prometheus/": {"telemetry"},
    "nlohmann/": {"codec", "storage", "stream", "llm", "analysis", "api", "app"},
    "curl/": {"webclient"},
    "zlib.h": {"http"},
    "snappy": {"codec"},
    "sodium": {"model"},
    "systemd/": {"app"},
    "CLI/": {"app"},
}
BEAST_FILES_MAX = 3
LINES_MAX = 600
WORDS = ["TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK"]
SKIPS = ["GTEST_" "SKIP", r"\bDISABLED" "_", r"SUCC" r"EED\(\)", r"EXPECT_TRUE\(" r"true\)"]
LEFTOVERS = re.compile(r"\b(" + "|".join(WORDS) + r")\b(?!\(#\d+\))|" + "|".join(SKIPS))


def module_of(path):
    parts = path.parts
    if parts[0] == "src" and len(parts) > 2:
        return parts[1]
    if parts[:2] == ("include", "sensus"):
        return parts[2]
    return None


def sources(*tops):
    for top in tops:
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in {".cpp", ".hpp"}:
                yield path


def layers():
    table = dict(re.findall(r"set\(SENSUS_LAYER_(\w+) (\d+)\)", (ROOT / "cmake/Layers.cmake").read_text()))
    for path in sources("src", "include"):
        module = module_of(path)
        if module is None:
            continue
        for header in INCLUDE.findall(path.read_text()):
            found = re.match(r"sensus/(\w+)/", header)
            if found and found[1] != module and int(table[found[1]]) >= int(table[module]):
                yield f"{path}: {module} (layer {table[module]}) includes {header} (layer {table[found[1]]})"


def third_party():
    beast = set()
    for path in sources("src", "include"):
        module = module_of(path)
        for header in INCLUDE.findall(path.read_text()):
            for prefix, owners in OWNERS.items():
                if not header.startswith(prefix):
                    continue
                if path.parts[0] == "include":
                    yield f"{path}: public header includes {header}"
                elif module not in owners:
                    yield f"{path}: {header} belongs to {', '.join(sorted(owners))}"
                if prefix == "boost/beast":
                    beast.add(path)
    if len(beast) > BEAST_FILES_MAX:
        yield f"Beast is compiled in {len(beast)} files, at most {BEAST_FILES_MAX}: {sorted(map(str, beast))}"


def sizes():
    for path in sources("src", "include", "tests"):
        lines = path.read_text().count("\n")
        if lines > LINES_MAX:
            yield f"{path}: {lines} lines, at most {LINES_MAX}"


def leftovers():
    for path in sources("src", "include", "tests"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if LEFTOVERS.search(line):
                yield f"{path}:{number}: {line.strip()}"


def main():
    checks = {"layers": layers, "third_party": third_party, "sizes": sizes, "leftovers": leftovers, "runbook": runbook}
    problems = list(checks[sys.argv[1]]())
    print("\n".join(problems) or "clean")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
