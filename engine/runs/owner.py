"""Who works on a part: a process, told apart from every other there is or was, and whether it still lives."""

import os
import socket
from pathlib import Path


def this_process() -> str:
    """The owner to write into a claim."""
    return f"{PLACE}:{os.getpid()}:{_started(os.getpid())}"


def is_dead(owner: str) -> bool:
    """Whether a worker of this machine is gone; of others only the lease tells."""
    place, _, rest = owner.partition(f"{PLACE}:")
    pid, _, started = rest.partition(":")
    return not place and pid.isdecimal() and _started(int(pid)) != started


def _place() -> str:
    """This machine since its last start, and which processes it shows: containers share a name, never this."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:  # not Linux
        return socket.gethostname()


def _started(pid: int) -> str | None:
    """When a process started, by a clock that nobody sets; None if none of that number lives."""
    try:
        facts = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        pass
    else:
        return None if facts[0] in "ZX" else facts[19]  # a killed process stays listed until its parent has looked
    if Path("/proc/self/stat").exists():
        return None
    import psutil  # Linux does without

    try:
        return f"{psutil.Process(pid).create_time():.0f}"
    except psutil.NoSuchProcess:
        return None


PLACE = _place()
