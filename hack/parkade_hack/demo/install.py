"""Scenes: `helm install` at the beginning, `helm uninstall` at the end, and what is left: nothing that runs."""

from parkade_api.wellknown import LABEL_VEHICLE, NODE_LEASE_NAMESPACE, NODE_PREFIX, SYSTEM_NAMESPACE
from parkade_hack.demo.play import Play
from parkade_hack.demo.stage import wait_for
from parkade_hack.demo.vehicles import CPU_SHARE, SIMULATED
from parkade_hack.release import Release

GONE_SECONDS = 90.0


def install(release: Release) -> list[str]:
    """Installs the chart and returns what kubectl shows of its pods once all are ready."""
    release.install({"simulation": {"replicas": SIMULATED, "cpuShare": CPU_SHARE}})
    return release.kubectl("get", "pods", "--namespace", SYSTEM_NAMESPACE).splitlines()


def uninstall(play: Play) -> None:
    """Uninstalls the chart while vehicles are still connected; checks that nothing of it is left."""
    play.stage.title("helm uninstall")
    for line in play.release.uninstall().splitlines():
        play.stage.say(line)
    wait_for(lambda: not _left(play), GONE_SECONDS, "nothing of the release is left")
    play.stage.check("no Node, Lease, pod, Role or policy of Parkade is left", holds=not _left(play))


def _left(play: Play) -> list[str]:
    """Names of everything that a release makes and that is still there; the resources of its users stay theirs."""
    kinds = "pods,services,deployments,leases,roles,rolebindings,serviceaccounts"
    cluster_kinds = "clusterroles,clusterrolebindings,validatingadmissionpolicies"
    release = ("-o", "name", "--selector", "app.kubernetes.io/part-of=parkade")
    left = play.kubectl("get", kinds, "--namespace", SYSTEM_NAMESPACE, *release).split()
    left += play.kubectl("get", cluster_kinds, *release).split()
    left += play.kubectl("get", "nodes", "-o", "name", "--selector", LABEL_VEHICLE).split()
    leases = play.kubectl("get", "leases", "--namespace", NODE_LEASE_NAMESPACE, "-o", "name").split()
    return left + [name for name in leases if f"/{NODE_PREFIX}" in name]
