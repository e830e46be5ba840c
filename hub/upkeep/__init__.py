"""`transcript-hub audit`, `hold`, `erase`, `backup`, `restore`: the commands about what the hub keeps.

Where a hub runs, they ask it by its HTTP API, because it has calls in memory, too. Where none runs, they open the archive themselves.
"""
