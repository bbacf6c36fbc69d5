"""What shards/ says of leases, as messages of parkade.fleet.v1."""

from collections.abc import Iterable

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_operator.shards.spec import Grant


def granted(pod_uid: str, grant: Grant) -> pb.LeaseGrant:
    """The answer to the lease request of a slot."""
    shards = [
        pb.LeasedShard(
            shard=item.shard,
            attempt=item.attempt,
            records=item.records,
            size=item.size,
            sha256=item.sha256,
        )
        for item in grant.shards
    ]
    return pb.LeaseGrant(pod_uid=pod_uid, lease=grant.lease, shards=shards)


def lost(shards: Iterable[tuple[str, int]]) -> pb.GatewayMessage:
    """That a vehicle need not finish these: lease and number of each."""
    leases: dict[str, list[int]] = {}
    for lease, shard in shards:
        leases.setdefault(lease, []).append(shard)
    losses = [pb.LeaseLoss(lease=lease, shards=numbers) for lease, numbers in leases.items()]
    return pb.GatewayMessage(losses=pb.Losses(leases=losses))
