"""What operators see: counters and logs.

Knows numbers and log lines. Does not know where things are counted, or how Prometheus asks for them.
"""
