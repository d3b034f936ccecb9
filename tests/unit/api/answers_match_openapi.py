"""Starts api_fake_server and runs tests/e2e/openapi_check.py against it. Argument: the server's binary."""
import pathlib
import subprocess
import sys

CHECK = pathlib.Path(__file__).resolve().parents[2] / "e2e" / "openapi_check.py"

with subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
    url = server.stdout.readline().strip()
    code = subprocess.run([sys.executable, str(CHECK), url], check=False, timeout=60).returncode if url else 1
    server.stdin.close()
    server.wait(timeout=10)
sys.exit(code)
