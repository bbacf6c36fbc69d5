"""A virtual kubelet for many Nodes, as a library with a provider interface.

`nodes` keeps Node objects and their Leases as desired; `pods` turns pods bound to those Nodes into calls of a
`provider`, and what the provider tells into pod status.
"""
