"""What the nodes of one cluster share: who owns which call, the calls' logs, and messages between nodes.

`Broker` is the seam. `memory` is one for nodes in one process, `valkey` one for nodes on many machines.
"""
