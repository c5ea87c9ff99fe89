"""Power cuts, simulated on real file systems: what is on the disk after each, and whether bitproof's rules hold there.

1. `record` mounts a real ext4 or XFS on a disk whose every write and flush QEMU logs, and runs bitproof's commands on
   it (`workload`). When one has returned, a mark goes into the same log: from there on it is acknowledged.
2. `cuts` chooses states of that disk after a power cut: all writes up to a flush, and any of the later ones, torn at
   4 KiB, in no order.
3. `replay` makes each state, mounts it, so that the file system recovers, and asks `rules`.

`simulate` is all of it, started by `run` in namespaces of its own: what it mounts and starts dies with it.
"""
