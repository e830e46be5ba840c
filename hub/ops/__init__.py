"""What operators see: counters and logs.

Knows numbers and log lines. Does not know what is counted, nor how Prometheus asks.
"""
