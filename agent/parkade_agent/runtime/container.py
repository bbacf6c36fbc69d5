"""What a slot says of its two containers, in the words of Kubernetes container states."""

import time
from dataclasses import dataclass

from parkade_api.proto.fleet.v1 import fleet_pb2


@dataclass(slots=True)
class Container:
    """The state of runner or sidecar; times are Unix milliseconds."""

    name: str
    phase: fleet_pb2.ContainerState.Phase.ValueType = fleet_pb2.ContainerState.WAITING
    reason: str = "ContainerCreating"
    message: str = ""
    exit_code: int = 0
    is_ready: bool = False
    started: int = 0
    finished: int = 0
    restarts: int = 0

    def waits(self, reason: str, message: str = "") -> None:
        """The program does not run yet, or not again yet."""
        self.phase, self.reason, self.message = fleet_pb2.ContainerState.WAITING, reason, message
        self.is_ready = False

    def runs(self) -> None:
        """The program was started."""
        self.phase, self.reason, self.message = fleet_pb2.ContainerState.RUNNING, "", ""
        self.started, self.is_ready = _unix_milliseconds(), False

    def ends(self, exit_code: int, reason: str, message: str) -> None:
        """The program is gone and is not started again."""
        self.phase, self.reason, self.message = fleet_pb2.ContainerState.TERMINATED, reason, message
        self.exit_code, self.finished, self.is_ready = exit_code, _unix_milliseconds(), False

    def state(self) -> fleet_pb2.ContainerState:
        """The message that the gateway turns into a container status."""
        return fleet_pb2.ContainerState(
            name=self.name,
            phase=self.phase,
            reason=self.reason,
            message=self.message,
            exit_code=self.exit_code,
            ready=self.is_ready,
            started_unix_milliseconds=self.started,
            finished_unix_milliseconds=self.finished,
            restarts=self.restarts,
        )


def _unix_milliseconds() -> int:
    return time.time_ns() // 1_000_000
