"""A container's environment and command line, as its pod spells them."""

import re
from collections.abc import Mapping, Sequence

from parkade_core.kubelet.pod import Object
from parkade_hack.node.objects import Lookup, NotThere, Ref, optional_values

_VARIABLE = re.compile(r"\$\$|\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


def field(pod: Object, path: str, pod_ip: str, host_ip: str) -> str:
    """What a fieldRef of the downward API says. Raises NotThere for a field that it does not know."""
    meta, spec = pod["metadata"], pod["spec"]
    if match := _SUBSCRIPT.fullmatch(path):
        return str((meta.get(match[1]) or {}).get(match[2], ""))
    known = {
        "metadata.name": meta["name"],
        "metadata.namespace": meta["namespace"],
        "metadata.uid": meta["uid"],
        "metadata.labels": _lines(meta.get("labels") or {}),
        "metadata.annotations": _lines(meta.get("annotations") or {}),
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.podIP": pod_ip,
        "status.podIPs": pod_ip,
        "status.hostIP": host_ip,
        "status.hostIPs": host_ip,
    }
    if path not in known:
        raise NotThere(f"the field {path} is not known to the process node")
    return str(known[path])


def _lines(pairs: Mapping[str, str]) -> str:
    return "\n".join(f'{key}="{value}"' for key, value in sorted(pairs.items()))


def container_environment(
    pod: Object, container: Object, lookup: Lookup, pod_ip: str, host_ip: str
) -> dict[str, str]:
    """The variables of *container*: later ones replace earlier ones and may use them. Raises NotThere."""
    namespace = pod["metadata"]["namespace"]
    variables: dict[str, str] = {}
    for every in container.get("envFrom") or []:
        variables |= _all_of(every, namespace, lookup)
    for variable in container.get("env") or []:
        if "valueFrom" not in variable:
            variables[variable["name"]] = expand(variable.get("value", ""), variables)
        elif (reference := variable["valueFrom"].get("fieldRef")) is not None:
            variables[variable["name"]] = field(pod, reference["fieldPath"], pod_ip, host_ip)
        elif (value := _key_of(variable["valueFrom"], namespace, lookup)) is not None:
            variables[variable["name"]] = value
    return variables


def _all_of(every: Object, namespace: str, lookup: Lookup) -> dict[str, str]:
    kind, source = (
        ("secrets", every["secretRef"]) if "secretRef" in every else ("configmaps", every["configMapRef"])
    )
    values = optional_values(
        Ref(kind, namespace, source["name"]), lookup, optional=source.get("optional", False)
    )
    return {every.get("prefix", "") + key: value.decode() for key, value in values.items()}


def _key_of(source: Object, namespace: str, lookup: Lookup) -> str | None:
    kind, key = ("secrets", "secretKeyRef") if "secretKeyRef" in source else ("configmaps", "configMapKeyRef")
    wanted = source[key]
    ref, optional = Ref(kind, namespace, wanted["name"]), wanted.get("optional", False)
    values = optional_values(ref, lookup, optional=optional)
    if wanted["key"] not in values and not optional:
        raise NotThere(f"{ref.kind.removesuffix('s')} {ref.name} has no key {wanted['key']}")
    return values[wanted["key"]].decode() if wanted["key"] in values else None


def expand(text: str, variables: Mapping[str, str]) -> str:
    """*text* with every `$(NAME)` replaced; an unknown name stays as it is, and `$$` is a plain `$`."""

    def replacement(match: re.Match[str]) -> str:
        return "$" if match[1] is None else variables.get(match[1], match[0])

    return _VARIABLE.sub(replacement, text)


def localised(text: str, mounts: Mapping[str, str]) -> str:
    """*text* with whole path prefixes that are mount paths replaced by the folders that stand for them.

    A path begins the text, follows one of `=:,;` or a quote or blank, or is that of a URI without a host.
    """
    if not mounts:
        return text
    longest_first = sorted(mounts, key=len, reverse=True)
    paths = "|".join(re.escape(path) for path in longest_first)
    pattern = rf"(^|[=:,;\s\"']|://)({paths})(?=$|[/,;:\s\"'])"
    return re.sub(pattern, lambda match: match[1] + mounts[match[2]], text)


def command_line(container: Object, variables: Mapping[str, str], mounts: Mapping[str, str]) -> Sequence[str]:
    """Program and arguments of *container*."""
    words = [*container["command"], *(container.get("args") or [])]
    return [localised(expand(word, variables), mounts) for word in words]
