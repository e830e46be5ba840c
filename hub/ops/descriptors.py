"""How many descriptors this process may have: each socket and each file takes one. Knows the operating system's limit, and no socket."""

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

WITHOUT_LIMIT = 65536
"""What is reckoned with where there is no limit to ask for. Windows has none worth mentioning."""


def most_descriptors() -> int:
    """Return how many descriptors this process may have now."""
    if resource is None:
        return WITHOUT_LIMIT
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return WITHOUT_LIMIT if soft == resource.RLIM_INFINITY else soft


def raise_limit() -> None:
    """Have as many descriptors as the operating system allows: shells and containers often give a process 1,024 until it asks for more."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WITHOUT_LIMIT if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):  # macOS has a second limit that it does not tell
            return
