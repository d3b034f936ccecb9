"""Checks of what ships Sensus, as far as they go without a container. Usage: deploy.py CHECK SENSUSD, from the top of the tree.

packages     every package of deploy/packages is one that apt knows
docker       the Dockerfile copies what exists, installs what it runs, and agrees with the configuration it holds
compose      compose.yaml names existing files, services, networks, volumes, ports and variables
kubernetes   the manifests have known fields, agree with each other and with the configuration they hold

That the probes' routes answer is the deploy story's (tests/e2e).
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

from kubernetes_shapes import object_mismatches

DEPLOY = pathlib.Path("deploy")
DOCKERFILE = DEPLOY / "docker/Dockerfile"
COMPOSE = DEPLOY / "docker/compose.yaml"
CONFIG = DEPLOY / "docker/sensus.yaml"
KUBERNETES = DEPLOY / "kubernetes"
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
SENSUSD = pathlib.Path(sys.argv[2])


def seconds(text):
    found = re.fullmatch(r"(\d+)(ms|s|m|h|d)", str(text))
    return int(found[1]) * UNITS[found[2]]


def run_sensusd(flag, config, env=None):
    done = subprocess.run([SENSUSD, flag, "--config", config], env={**os.environ, **(env or {})}, capture_output=True, text=True,
                          check=False)
    return done.returncode, done.stdout, done.stdout + done.stderr


def values_in_force(config):
    return yaml.safe_load(run_sensusd("--print-config", config)[1])


def listen_ports(values):
    return {int(address.rsplit(":", 1)[1]) for address in values["server"]["listen"]}


def packages_of(name):
    """(package, comment) of each line."""
    for line in (DEPLOY / f"packages/{name}.txt").read_text().splitlines():
        package, _, comment = line.partition("#")
        if package.strip():
            yield package.strip(), comment.strip()


def instructions():
    """(stage, instruction, words) of the Dockerfile; a stage is its name or number."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(), flags=re.M)
    stage, number = None, -1
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if not line.strip():
            continue
        word, rest = line.split(None, 1)
        if word == "FROM":
            number += 1
            name = re.search(r"\bAS (\S+)", rest, re.I)
            stage = name[1] if name else str(number)
        yield stage, word, rest.strip()


def packages():
    lists = {name: [package for package, _ in packages_of(name)] for name in ("build", "run", "test")}
    told = subprocess.run(["apt-cache", "policy", *sum(lists.values(), [])], env={**os.environ, "LC_ALL": "C"}, capture_output=True,
                          text=True, check=True).stdout
    known = set(re.findall(r"^(\S+):\n  Installed: .*\n  Candidate: (?!\(none\))", told, re.M))
    for name, wanted in lists.items():
        for package in wanted:
            if package not in known:
                yield f"{DEPLOY}/packages/{name}.txt: apt knows no {package}"


def docker():
    built = {}
    for stage, word, rest in instructions():
        if word == "RUN":
            targets = re.search(r"--target ([\w ]+)", rest)
            built.setdefault(stage, set()).update(targets[1].split() if targets else [])
        if word != "COPY":
            continue
        origin = re.match(r"--from=(\S+)\s+(.*)", rest)
        sources = (origin[2] if origin else rest).split()[:-1]
        for source in sources:
            if origin:
                if pathlib.Path(source).name not in built.get(origin[1], set()):
                    yield f"{DOCKERFILE}: stage {origin[1]} does not build {source}"
            elif not pathlib.Path(source).exists():
                yield f"{DOCKERFILE}: COPY of {source}, which is not there"
    values = dict((word, rest) for _, word, rest in instructions())  # The last of each, so the last stage's.
    for _, word, rest in instructions():
        for path in re.findall(r"deploy/packages/\w+\.txt", rest):
            if not pathlib.Path(path).exists():
                yield f"{DOCKERFILE}: {word} names {path}, which is not there"
    installed = {package for package, comment in packages_of("run") if "--embedded" not in comment}
    probe = re.search(r'CMD (\[.*\])', values["HEALTHCHECK"])
    if yaml.safe_load(probe[1])[0] not in installed:
        yield f"{DOCKERFILE}: the health check runs a program that run.txt does not install"
    ignored = pathlib.Path(".dockerignore").read_text().split()
    if not {".git", "build"} <= set(ignored):
        yield ".dockerignore: the build folder of the host would get into the image"
    presets = pathlib.Path("CMakePresets.json").read_text()
    for _, _, rest in instructions():
        for preset in re.findall(r"cmake --preset (\w+)", rest):
            if f'"name": "{preset}"' not in presets:
                yield f"{DOCKERFILE}: no preset {preset}"
    yield from configuration(values)
    yield from libraries(installed)


def libraries(installed):
    """What the program is linked with is what the image installs; the C and C++ runtimes come with any of it."""
    dynamic = subprocess.run(["readelf", "-d", SENSUSD], capture_output=True, text=True, check=True).stdout
    for library in re.findall(r"\(NEEDED\).*\[(.+)\]", dynamic):
        owners = subprocess.run(["dpkg-query", "-S", f"*/{library}"], capture_output=True, text=True, check=False).stdout
        packages_with_it = set(re.findall(r"^([\w.+-]+)(?::\w+)?: ", owners, re.M))
        if not packages_with_it & (installed | {"libc6", "libgcc-s1", "libstdc++6"}):
            yield f"{DEPLOY}/packages/run.txt: lacks {library} (of {', '.join(packages_with_it) or 'no package'})"


def configuration(values):
    code, _, told = run_sensusd("--check-config", CONFIG)
    if code != 0:
        yield f"{CONFIG}: {told}"
        return
    ports = listen_ports(values_in_force(CONFIG))
    if {int(values["EXPOSE"])} != ports:
        yield f"{DOCKERFILE}: exposes {values['EXPOSE']}, {CONFIG} listens on {sorted(ports)}"
    probed = re.search(r"http://127\.0\.0\.1:(\d+)/", values["HEALTHCHECK"])
    if int(probed[1]) not in ports:
        yield f"{DOCKERFILE}: the health check asks another port"
    where = {pathlib.Path(rest.split()[-1]) for _, word, rest in instructions() if word == "COPY"}
    for argument in yaml.safe_load(values["CMD"]):
        if argument.startswith("/") and pathlib.Path(argument) not in where:
            yield f"{DOCKERFILE}: starts with {argument}, which it does not hold"


def compose():
    document = yaml.safe_load(COMPOSE.read_text())
    services = document["services"]
    for name, service in services.items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                if not (COMPOSE.parent / source).is_file():
                    yield f"{COMPOSE}: {name} mounts {source}, which is not there"
            elif source not in document["volumes"]:
                yield f"{COMPOSE}: {name} mounts the volume {source}, which is not declared"
        for network in service.get("networks", []):
            if network not in document["networks"]:
                yield f"{COMPOSE}: {name} is in the network {network}, which is not declared"
        for other, wanted in service.get("depends_on", {}).items():
            if other not in services:
                yield f"{COMPOSE}: {name} depends on {other}, which is no service"
            elif wanted["condition"] == "service_healthy" and "healthcheck" not in services[other]:
                yield f"{COMPOSE}: {name} waits for the health of {other}, which has no check"
    yield from compose_sensus(services)
    scripts = [path for path in DEPLOY.glob("docker/*.sh") if not os.access(path, os.X_OK)]
    for path in scripts:
        yield f"{path}: not executable, so the postgres image would source it"


def compose_sensus(services):
    sensus = services["sensus"]
    build = sensus["build"]
    context = (COMPOSE.parent / build["context"]).resolve()
    if not (context / build["dockerfile"]).is_file() or context != pathlib.Path.cwd():
        yield f"{COMPOSE}: does not build {DOCKERFILE} from the top of the tree"
    values = values_in_force(CONFIG)
    for port in sensus["ports"]:
        if int(port.rsplit(":", 1)[1]) not in listen_ports(values):
            yield f"{COMPOSE}: publishes {port}, {CONFIG} listens elsewhere"
    if seconds(sensus["stop_grace_period"]) <= seconds(values["service"]["shutdown_timeout"]):
        yield f"{COMPOSE}: stop_grace_period is not longer than service.shutdown_timeout"
    taken = set(re.findall(r"\$\{(\w+)", CONFIG.read_text()))
    for variable in sensus["environment"]:
        if variable not in taken:
            yield f"{COMPOSE}: sets {variable}, which {CONFIG} does not take"
    for section, key in (("database", "url"), ("database", "migration_url")):
        host = re.search(r"host=(\w+)", values[section][key])[1]
        if host not in services:
            yield f"{CONFIG}: {section}.{key} is at {host}, which is no service of {COMPOSE}"
    if values["redis"]["host"] not in services:
        yield f"{CONFIG}: redis.host is no service of {COMPOSE}"


def kubernetes():
    objects = []
    for path in sorted(KUBERNETES.glob("*.yaml")):
        for thing in yaml.safe_load_all(path.read_text()):
            yield from (f"{path}: {problem}" for problem in object_mismatches(thing))
            objects.append(thing)
    by_kind = {thing["kind"]: thing for thing in objects}
    deployment = by_kind["Deployment"]["spec"]
    pod = deployment["template"]["spec"]
    container = pod["containers"][0]
    labels = deployment["template"]["metadata"]["labels"].items()
    selectors = {"Deployment": deployment["selector"]["matchLabels"], "Service": by_kind["Service"]["spec"]["selector"],
                 "PodDisruptionBudget": by_kind["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
                 "NetworkPolicy": by_kind["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]}
    for kind, selector in selectors.items():
        if not selector.items() <= labels:
            yield f"{KUBERNETES}: the {kind} does not select the pods"
    yield from kubernetes_ports(by_kind, container)
    yield from kubernetes_pod(pod, container)
    yield from kubernetes_config(by_kind["ConfigMap"], pod, container)


def kubernetes_ports(by_kind, container):
    names = {port["name"] for port in container["ports"]}
    used = {port["targetPort"] for port in by_kind["Service"]["spec"]["ports"]}
    used |= {container[f"{probe}Probe"]["httpGet"]["port"] for probe in ("startup", "liveness", "readiness")}
    used |= {port["port"] for rule in by_kind["NetworkPolicy"]["spec"]["ingress"] for port in rule["ports"]}
    for name in used - names:
        yield f"{KUBERNETES}: port {name} is none of the container's"


def kubernetes_pod(pod, container):
    """What the restricted pod security standard asks, and requests with a limit of memory."""
    context, user = pod["securityContext"], dict((word, rest) for _, word, rest in instructions())["USER"]
    own = container["securityContext"]
    sound = {
        "runs as the image's user": f"{context['runAsUser']}:{context['runAsGroup']}" == user and context["runAsNonRoot"],
        "has a seccomp profile": context["seccompProfile"]["type"] == "RuntimeDefault",
        "has no token": pod["automountServiceAccountToken"] is False,
        "drops what it may": own["capabilities"]["drop"] == ["ALL"] and own["allowPrivilegeEscalation"] is False,
        "has a read-only root": own["readOnlyRootFilesystem"] is True,
        "asks for cpu and memory": set(container["resources"]["requests"]) == {"cpu", "memory"},
        "is limited in memory": "memory" in container["resources"]["limits"],
    }
    for what, holds in sound.items():
        if not holds:
            yield f"{KUBERNETES}: it is not so that the pod {what}"


def kubernetes_config(config_map, pod, container):
    """The daemon takes the ConfigMap's file, with the secret's files where the pod mounts them."""
    mounts = {mount["name"]: pathlib.Path(mount["mountPath"]) for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    if set(mounts) != set(volumes):
        yield f"{KUBERNETES}: volumes and mounts are not the same"
        return
    path = pathlib.Path(container["args"][container["args"].index("--config") + 1])
    if path.parent != mounts["config"] or path.name not in config_map["data"]:
        yield f"{KUBERNETES}: --config {path} is not what the ConfigMap holds"
        return
    with tempfile.TemporaryDirectory() as directory:
        for item in volumes["secrets"]["secret"]["items"]:
            (pathlib.Path(directory) / item["path"]).write_text("" if "redis" in item["key"] else "not a real one\n")
        config = pathlib.Path(directory) / path.name
        config.write_text(config_map["data"][path.name].replace(str(mounts["secrets"]), directory))
        code, _, told = run_sensusd("--check-config", config)
        if code != 0:
            yield f"{KUBERNETES}: the ConfigMap: {told}"
            return
        values = values_in_force(config)
    if re.search(r"password: |password=", config_map["data"][path.name]):
        yield f"{KUBERNETES}: a password in the ConfigMap"
    if listen_ports(values) != {port["containerPort"] for port in container["ports"]}:
        yield f"{KUBERNETES}: listens on another port than the container's"
    if pod["terminationGracePeriodSeconds"] <= seconds(values["service"]["shutdown_timeout"]):
        yield f"{KUBERNETES}: terminationGracePeriodSeconds is not longer than service.shutdown_timeout"
    if not 0 < seconds(values["service"]["drain_delay"]) < seconds(values["service"]["shutdown_timeout"]):
        yield f"{KUBERNETES}: endpoints need service.drain_delay to forget a pod"


def main():
    checks = {"packages": packages, "docker": docker, "compose": compose, "kubernetes": kubernetes}
    problems = list(checks[sys.argv[1]]())
    print("\n".join(problems) or "clean")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
