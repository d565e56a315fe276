"""Builds the command line that runs a part in a sandbox of its own. Pure.

Bubblewrap makes the sandbox: own mounts, processes and IPC, and for a part without network its
own empty network. Then `setpriv` turns root into the part's ordinary user with no way back.

Stopping: bubblewrap does not pass signals on, and dies of SIGTERM itself, which kills its part
at once. So it is started with SIGTERM ignored and the part with SIGTERM restored: a SIGTERM to the
process group reaches just the part. So does SIGUSR2, at which coturn reads its certificate anew.
For the group to stay whole there is no ``--new-session``; nothing here has a terminal that a part
could type into.

Source: bwrap(1), setpriv(1), env(1).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

__all__ = ["Identity", "Mount", "Sandbox", "sandbox_argv"]

_OPEN_DIRECTORY = "1777"
_PARENT = "0755"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a part runs as.

    Attributes:
        uid: User id of the part.
        gid: Group id of the part.
        from_root: The supervisor is root and must step down.
    """

    uid: int
    gid: int
    from_root: bool


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of the host in the sandbox.

    Attributes:
        source: Path on the host.
        target: Path in the sandbox.
        is_writable: Whether the part may write there.
    """

    source: Path
    target: PurePosixPath
    is_writable: bool = False


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What a part can see and do.

    Attributes:
        identity: Whom it runs as.
        rootfs: A root file system, read-only; None starts from an empty one.
        mounts: What is added to it; a target comes after its parents.
        links: Symbolic links, target by path; only in an empty root.
        empty: Folders that are empty at the start, and writable.
        environment: All environment variables.
        has_network: Whether it shares the host's network.
        binds_low_ports: Whether it listens on a port below 1024, such as 443, and keeps of all root
            may do just that.
        nice: Scheduling priority.
    """

    identity: Identity
    rootfs: Path | None = None
    mounts: tuple[Mount, ...] = ()
    links: Mapping[PurePosixPath, str] = field(default_factory=dict)
    empty: tuple[PurePosixPath, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    has_network: bool = True
    binds_low_ports: bool = False
    nice: int = 0


def sandbox_argv(sandbox: Sandbox, command: Sequence[str]) -> list[str]:
    """Return the command line that runs ``command`` in ``sandbox``."""
    argv = ["nice", "-n", str(sandbox.nice)] if sandbox.nice else []
    argv += ["env", "--ignore-signal=TERM,USR2", "bwrap"]
    if sandbox.rootfs is not None:
        argv += ["--ro-bind", str(sandbox.rootfs), "/"]
    argv += _mount_arguments(sandbox)
    argv += ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    if not sandbox.has_network:
        argv.append("--unshare-net")
    argv += ["--die-with-parent", "--chdir", "/", "--clearenv"]
    for name, value in sandbox.environment.items():
        argv += ["--setenv", name, value]
    return [*argv, "--", *_step_down(sandbox), "env", "--default-signal", *command]


def _mount_arguments(sandbox: Sandbox) -> list[str]:
    argv = ["--proc", "/proc", "--dev", "/dev"]
    made = {PurePosixPath("/"), PurePosixPath("/dev"), PurePosixPath("/proc")}
    for scratch in ("/dev/shm", "/tmp", "/run"):  # noqa: S108 the sandbox's own, empty
        argv += ["--perms", _OPEN_DIRECTORY, "--tmpfs", scratch]
        made.add(PurePosixPath(scratch))
    if sandbox.rootfs is not None:
        made |= {PurePosixPath("/talkbutton"), PurePosixPath("/etc")}
        argv += ["--perms", _PARENT, "--tmpfs", "/talkbutton"]
    for mount in sandbox.mounts:
        argv += _missing_parents(mount.target, made)
        argv += ["--bind" if mount.is_writable else "--ro-bind"]
        argv += [str(mount.source), str(mount.target)]
        made.add(mount.target)
    for path in sandbox.empty:
        argv += [*_missing_parents(path, made), "--perms", _OPEN_DIRECTORY, "--tmpfs", str(path)]
    for path, target in sandbox.links.items():
        argv += ["--symlink", target, str(path)]
    return argv


def _missing_parents(target: PurePosixPath, made: set[PurePosixPath]) -> list[str]:
    """Make a target's parents ourselves: those that bubblewrap makes are closed to others."""
    argv = []
    for parent in reversed(target.parents):
        if made.isdisjoint({parent}):
            argv += ["--perms", _PARENT, "--dir", str(parent)]
            made.add(parent)
    return argv


def _step_down(sandbox: Sandbox) -> list[str]:
    identity = sandbox.identity
    if not identity.from_root:
        return []
    kept = "-all,+net_bind_service" if sandbox.binds_low_ports else "-all"
    return [
        "setpriv",
        *("--reuid", str(identity.uid)),
        *("--regid", str(identity.gid)),
        "--clear-groups",
        "--no-new-privs",
        f"--bounding-set={kept}",
        f"--inh-caps={kept}",
        *([f"--ambient-caps={kept}"] if sandbox.binds_low_ports else []),
    ]
