"""Which certificates the operator approves."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_core.signing import SIGNER, SigningRequest, decide, renewal_after

GATEWAY = "system:serviceaccount:parkade-system:parkade-gateway"
HONEST = SigningRequest(
    user=GATEWAY,
    signer=SIGNER,
    usages=("digital signature", "server auth"),
    common_name="system:node:parkade-gateway",
    organizations=("system:nodes",),
    addresses=("10.0.0.7",),
)
PODS = ("10.0.0.7", "10.0.0.8", "fd00::7")


@pytest.mark.parametrize("addresses", [("10.0.0.7",), ("10.0.0.8",), ("fd00::7", "10.0.0.7")], ids=",".join)
def test_the_gateways_own_request_is_approved(addresses: tuple[str, ...]) -> None:
    """Any address of its pods may be served on; the condition says which."""
    approval = decide(replace(HONEST, addresses=addresses), GATEWAY, PODS)
    assert (approval.verdict, approval.reason) == ("Approved", "GatewayServing")
    assert all(address in approval.message for address in addresses)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"addresses": ("10.0.0.9",)}, "does not serve on 10.0.0.9"),
        ({"addresses": ("10.0.0.7", "127.0.0.1")}, "does not serve on 127.0.0.1"),
        ({"addresses": ()}, "must name an address"),
        ({"other_names": ("kubernetes.default.svc",)}, "does not serve on kubernetes.default.svc"),
        ({"common_name": "system:node:worker-1"}, "the subject must be"),
        ({"common_name": ""}, "the subject must be"),
        ({"organizations": ()}, "the subject must be"),
        ({"organizations": ("system:nodes", "system:masters")}, "the subject must be"),
        ({"usages": ("digital signature", "client auth")}, "the usages must be"),
        ({"usages": ("digital signature", "server auth", "client auth")}, "the usages must be"),
        ({"problem": "the request cannot be read"}, "cannot be read"),
    ],
)
def test_more_than_that_is_denied_to_the_gateway(change: dict[str, object], sentence: str) -> None:
    """The reason is in the condition's message."""
    approval = decide(replace(HONEST, **change), GATEWAY, PODS)  # type: ignore[arg-type]
    assert approval.verdict == "Denied"
    assert sentence in approval.message


@pytest.mark.parametrize(
    "change",
    [
        {"user": "system:serviceaccount:parkade-system:parkade-operator"},
        {"user": "system:serviceaccount:other:parkade-gateway"},
        {"user": ""},
        {"signer": "kubernetes.io/kube-apiserver-client"},
        {"is_decided": True},
    ],
)
def test_requests_of_others_are_left_alone(change: dict[str, object]) -> None:
    """Neither approved nor denied: somebody else may have a say."""
    assert decide(replace(HONEST, **change), GATEWAY, PODS).verdict == "Leave"  # type: ignore[arg-type]


@given(
    st.builds(
        SigningRequest,
        user=st.sampled_from([GATEWAY, "another"]),
        signer=st.sampled_from([SIGNER, "another"]),
        usages=st.lists(st.sampled_from(["digital signature", "server auth", "client auth"])).map(tuple),
        common_name=st.sampled_from(["system:node:parkade-gateway", "system:node:worker-1"]),
        organizations=st.lists(st.sampled_from(["system:nodes", "system:masters"]), max_size=2).map(tuple),
        addresses=st.lists(st.sampled_from(["10.0.0.7", "10.0.0.9"]), max_size=2).map(tuple),
        other_names=st.lists(st.just("name"), max_size=1).map(tuple),
    )
)
def test_whatever_is_approved_is_harmless(request: SigningRequest) -> None:
    """An approved request is the gateway's, for serving, on addresses of its pods and on nothing else."""
    if decide(request, GATEWAY, PODS).verdict == "Approved":
        assert set(request.addresses) <= set(PODS)
        assert replace(HONEST, addresses=request.addresses, usages=request.usages) == request
        assert "client auth" not in request.usages


def test_a_certificate_is_replaced_before_it_ends() -> None:
    """A fifth of its life is left for a control plane that is away; one that has ended is replaced at once."""
    assert renewal_after(100.0) == 80.0
    assert renewal_after(-5.0) == 0.0
