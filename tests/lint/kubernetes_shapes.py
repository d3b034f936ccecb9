"""The fields of the Kubernetes objects that deploy/kubernetes uses, closed: a field that is not here is a slip of the pen or needs a line.

A dict is an object with at most these keys, a list of one shape is a list of such, a type is a scalar, FREE is anything.
"""
FREE = object()
NAMED = {"name": str, "labels": FREE}
SELECTOR = {"matchLabels": FREE}
PORT_RULE = {"protocol": str, "port": FREE}
PEER = {"podSelector": SELECTOR, "namespaceSelector": SELECTOR}
PROBE = {"httpGet": {"path": str, "port": str}, "initialDelaySeconds": int, "periodSeconds": int, "timeoutSeconds": int,
         "failureThreshold": int}
CONTAINER = {
    "name": str, "image": str, "args": [str], "ports": [{"name": str, "containerPort": int}],
    "startupProbe": PROBE, "livenessProbe": PROBE, "readinessProbe": PROBE,
    "resources": {"requests": {"cpu": str, "memory": str}, "limits": {"cpu": str, "memory": str}},
    "securityContext": {"allowPrivilegeEscalation": bool, "readOnlyRootFilesystem": bool, "capabilities": {"drop": [str]}},
    "volumeMounts": [{"name": str, "mountPath": str, "readOnly": bool}],
}
POD = {
    "terminationGracePeriodSeconds": int, "automountServiceAccountToken": bool, "enableServiceLinks": bool,
    "securityContext": {"runAsNonRoot": bool, "runAsUser": int, "runAsGroup": int, "fsGroup": int, "seccompProfile": {"type": str}},
    "topologySpreadConstraints": [{"maxSkew": int, "topologyKey": str, "whenUnsatisfiable": str, "labelSelector": SELECTOR}],
    "containers": [CONTAINER],
    "volumes": [{"name": str, "configMap": {"name": str},
                 "secret": {"secretName": str, "defaultMode": int, "items": [{"key": str, "path": str}]}}],
}
OBJECTS = {
    ("v1", "ConfigMap"): {"data": FREE},
    ("v1", "Service"): {"spec": {"selector": FREE, "ports": [{"name": str, "port": int, "targetPort": str}]}},
    ("policy/v1", "PodDisruptionBudget"): {"spec": {"maxUnavailable": int, "minAvailable": int, "selector": SELECTOR}},
    ("networking.k8s.io/v1", "NetworkPolicy"): {
        "spec": {"podSelector": SELECTOR, "policyTypes": [str], "ingress": [{"from": [PEER], "ports": [PORT_RULE]}],
                 "egress": [{"to": [PEER], "ports": [PORT_RULE]}]}},
    ("apps/v1", "Deployment"): {
        "spec": {"replicas": int,
                 "strategy": {"type": str, "rollingUpdate": {"maxSurge": int, "maxUnavailable": int}},
                 "selector": SELECTOR,
                 "template": {"metadata": {"labels": FREE}, "spec": POD}}},
}


def mismatches(value, shape, where):
    """What of `value` the shape does not know, each with its place."""
    if shape is FREE:
        return
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            yield f"{where}: is no object"
            return
        for key, inner in value.items():
            if key not in shape:
                yield f"{where}.{key}: unknown field"
            else:
                yield from mismatches(inner, shape[key], f"{where}.{key}")
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield f"{where}: is no list"
            return
        for at, inner in enumerate(value):
            yield from mismatches(inner, shape[0], f"{where}[{at}]")
    elif type(value) is not shape:  # A bool is an int to isinstance.
        yield f"{where}: {value!r} is no {shape.__name__}"


def object_mismatches(thing):
    kind = (thing.get("apiVersion"), thing.get("kind"))
    if kind not in OBJECTS:
        yield f"{kind}: not a known kind"
        return
    yield from mismatches(thing, {"apiVersion": str, "kind": str, "metadata": NAMED, **OBJECTS[kind]}, kind[1])
