"""The process node: a Node of the local cluster that runs pods of our own images as local processes.

It is a second user of the gateway's kubelet library, with a kubelet's own identity (`system:node:process-node`), so
that what `helm install` starts is started, probed, restarted and refused as on a real Node, under the ServiceAccounts
of the release. What differs, because a process has no namespaces of its own:

- The program is the console script of that name in the environment that runs the process node.
- There is no root file system: mount paths that begin a path in variables and arguments are replaced by the pod's own
  folders, and `/tmp` becomes TMPDIR. Programs find everything else by their variables.
- A pod's address is one of 127.0.0.0/8. Names of Services are known to an HTTP CONNECT proxy only, which every pod is
  told by `https_proxy`; NetworkPolicies are not enforced.
- A memory limit is watched once a second, as resident memory of the container's processes. CPU limits, users, read-only
  roots and security contexts are not kept.
- Whatever runs dies with the process node. One that is started again adopts nothing: its pods start anew.
"""
