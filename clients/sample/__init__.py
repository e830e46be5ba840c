"""A sample support call, its script, and a sample agent.

Knows where the sample call is. `make_sample.py` made it and is not part of the package's code.
"""

from pathlib import Path

SAMPLE = Path(__file__).with_name("support-call.flac")
"""A call between a customer (left channel) and an agent (right channel)."""

SCRIPT = SAMPLE.with_suffix(".json")
"""Who says what in the sample call, and when."""
