"""Does anybody miss a word while nodes and brokers die, hang and are replaced? Disturbances of real clusters under live calls, counted.

    python -m tests.bench.chaos --kind owner-kill --count 300 --seed 1

Three hub processes with a Valkey stand behind a balancer. A pretend Twilio has 60 calls there, whose sound says of itself which word it is,
and each call has nine subscribers, who come back with their positions. In the end what all subscribers saw, over all of their connections,
has to be what each node and the archive have, byte by byte, and every word that was said has to be there once, or within an announced gap.

The kinds: `undisturbed`, `owner-kill` (kill -9 of the node that has most calls), `broker-kill` (kill -9 of a broker without persistence),
`broker-kill-aof` (of one with), `stop` (SIGSTOP for 20 s of the node with most calls, of another node, of the broker), `hold-up` (SIGSTOP
for less than a lease), `rolling` (SIGTERM to one node after the other), and `node-death` (kill -9 of the node that has all of 5,000
subscribers).

Two more are measurements, which take as many seconds as `--count` says: `remote-delivery` (from the owner's publishing to a subscriber of
another node, 1,000 calls with three each) and `two-processes` (what calls cost one process, and each of two).

With `--clusters 5` five clusters with twelve calls each are disturbed side by side. Prints the counts, writes them with the timeline, the
seed and the machine's load to a file, and exits with 1 if there was any fault.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import uvloop

from tests.bench.chaos.evidence import Evidence
from tests.bench.chaos.measures import MEASURES, Measure
from tests.bench.chaos.rounds import KINDS
from tests.bench.chaos.run import prove


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kind", choices=[*KINDS, *MEASURES], nargs="+", required=True, help="several: in an order of chance")
    parser.add_argument("--count", type=int, default=20, help="of each kind")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--clusters", type=int, default=1)
    parser.add_argument("--nodes", type=int, help="of each cluster")
    parser.add_argument("--calls", type=int, help="of all clusters together")
    parser.add_argument("--subscribers", type=int, help="of each call")
    parser.add_argument("--broker", choices=("memory", "aof", "both", "none"))
    parser.add_argument("--archive", help="address of an archive that all nodes share")
    parser.add_argument("--cold", action="store_true", help="start every node by its command, imports included")
    parser.add_argument("--evidence", type=Path, help="where the evidence is written (default: a file in the folder for temporary files)")
    options = parser.parse_args()
    kinds = [(KINDS | MEASURES)[kind] for kind in options.kind]
    named = ("nodes", "calls", "subscribers", "broker", "archive")
    size = replace(kinds[0].size, **{name: value for name in named if (value := getattr(options, name)) is not None})
    limits = {name: limit for kind in kinds for name, limit in kind.limits.items()}
    evidence = Evidence(" ".join(options.kind), options.seed, options.count, limits=limits)
    if isinstance(kinds[0], Measure):
        uvloop.run(kinds[0].run(evidence, size))
    else:
        uvloop.run(prove(options.kind, evidence, size, lanes=options.clusters, cold=options.cold))
    evidence.in_time()
    path = options.evidence or Path(tempfile.gettempdir()) / f"chaos-{'-'.join(options.kind)}-{options.seed}.json"
    evidence.write(path)
    print(f"{evidence}\nevidence: {path}")
    for example in evidence.examples:
        print(example)
    return 1 if evidence.faults.total() else 0


if __name__ == "__main__":
    sys.exit(main())
