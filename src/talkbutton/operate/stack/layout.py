"""Says what each part sees: its sandbox, and the command that runs in it."""

import sys
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import talkbutton
from talkbutton.operate.stack.parts import FOLLOWED, Part
from talkbutton.operate.stack.places import Places
from talkbutton.operate.stack.sandbox import Identity, Mount, Sandbox
from talkbutton.rules.render import Places as RenderPlaces

__all__ = ["daemon_sandbox", "python_command", "python_sandbox"]

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_SYSTEM_CONFIG = (
    "alternatives",
    "ca-certificates",
    "group",
    "hosts",
    "ld.so.cache",
    "localtime",
    "nsswitch.conf",
    "passwd",
    "resolv.conf",
    "ssl",
)
_BRIDGE = "bridge"
_EDGE = "edge"
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/tmp"}  # noqa: S108


def daemon_sandbox(
    part: Part,
    places: Places,
    rootfs: Path,
    identity: Identity,
    rendered: RenderPlaces,
    *,
    binds_low_ports: bool = False,
) -> Sandbox:
    """Return the sandbox of a telephony program: its root, its configuration, its own spool."""
    return Sandbox(
        identity,
        rootfs=rootfs,
        mounts=(
            Mount(places.config(part.name), rendered.config),
            Mount(places.spool(part.name), rendered.spool, is_writable=True),
        ),
        empty=(rendered.run, rendered.log),
        environment=_ENVIRONMENT,
        binds_low_ports=binds_low_ports,
        nice=_nice(part, identity),
    )


def python_sandbox(
    part: Part,
    places: Places,
    identity: Identity,
    knowledge: Path,
    *,
    binds_low_ports: bool = False,
) -> Sandbox:
    """Return the sandbox of a Python part.

    It sees the system's libraries, Python, talkbutton's own code, its own settings and secrets,
    and of the shared state what it works with. Only programs have a network and secrets.
    """
    readable = [*_system_paths(), *_python_paths(), places.part_given(part.name)]
    writable = [places.state]
    empty: tuple[Path, ...] = ()
    if part.kind == "speech":
        writable = [places.speech, places.state / "cache"]
    elif part.kind == "follower":
        readable.append(places.part_log(FOLLOWED).parent)
        empty = (places.bus, places.speech, places.state / "cache")
    if part.name == _EDGE and places.edge_tls.exists():
        readable.append(places.edge_tls)
    if part.name == _BRIDGE:
        readable += [knowledge] if knowledge.exists() else []  # the bot says what is missing
    elif part.kind == "program":
        empty = (places.speech, places.state / "cache")
    mounts = [Mount(path, PurePosixPath(path)) for path in _uncovered(readable)]
    mounts += [Mount(path, PurePosixPath(path), is_writable=True) for path in writable]
    return Sandbox(
        identity,
        mounts=tuple(mounts),
        links=_system_links(),
        empty=tuple(PurePosixPath(path) for path in empty),
        environment={
            **_ENVIRONMENT,
            "PYTHONPATH": str(_source_root()),
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        has_network=part.kind == "program",
        binds_low_ports=binds_low_ports,
        nice=_nice(part, identity),
    )


def python_command(part: Part, places: Places) -> list[str]:
    """Return the command line of a Python part."""
    command = [sys.executable, "-m", "talkbutton", part.name]
    command += ["--settings", str(places.part_settings(part.name))]
    if part.kind == "follower":
        command += ["--log", str(places.part_log(FOLLOWED))]
    if part.kind == "program":
        command += ["--secrets", str(places.part_secrets(part.name))]
    return [*command, "--state", str(places.state)]


def _nice(part: Part, identity: Identity) -> int:
    return part.nice if identity.from_root else max(part.nice, 0)


def _source_root() -> Path:
    return Path(talkbutton.__file__).resolve().parent.parent


def _python_paths() -> list[Path]:
    source = _source_root()
    paths = [Path(sys.base_prefix), Path(sys.prefix), source / "talkbutton"]
    page = source.parent / "web" / "button" / "dist"
    return [*paths, page] if page.is_dir() else paths


def _system_paths() -> list[Path]:
    whole = [Path(name) for name in _SYSTEM if not Path(name).is_symlink()]
    whole += [Path("/etc", name) for name in _SYSTEM_CONFIG]
    return [path for path in whole if path.exists()]


def _system_links() -> dict[PurePosixPath, str]:
    linked = [Path(name) for name in _SYSTEM if Path(name).is_symlink()]
    return {PurePosixPath(path): str(path.readlink()) for path in linked}


def _uncovered(paths: Iterable[Path]) -> list[Path]:
    """Return the paths that lie under no other one, parents first."""
    kept: list[Path] = []
    for path in sorted(set(paths), key=lambda path: len(path.parts)):
        if not any(path.is_relative_to(parent) for parent in kept):
            kept.append(path)
    return kept
