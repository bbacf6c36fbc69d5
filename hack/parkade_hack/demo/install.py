"""Scenes: `helm install` at the beginning, `helm uninstall` at the end, and what is left: nothing that runs."""

from parkade_api.wellknown import SYSTEM_NAMESPACE
from parkade_hack.demo.play import Play
from parkade_hack.demo.stage import wait_for
from parkade_hack.demo.vehicles import CPU_SHARE, SIMULATED
from parkade_hack.release import Release, leftovers

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
    wait_for(lambda: not leftovers(play.kubectl), GONE_SECONDS, "nothing of the release is left")
    play.stage.check(
        "no Node, Lease, pod, Role or policy of Parkade is left", holds=not leftovers(play.kubectl)
    )
