"""Looks at the running parts as another user of the machine would: rights, sockets, secrets."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from talkbutton.operate.doctor.listening import listens_only, within
from talkbutton.operate.doctor.probe import NotTried, Outcome, Probe, judge
from talkbutton.operate.doctor.sockets import OpenSocket, processes_of
from talkbutton.operate.doctor.target import Target
from talkbutton.operate.stack.parts import PART_BY_NAME
from talkbutton.operate.stack.ports import LOW_PORTS, listeners

__all__ = ["parts_probes"]

_NO_CAPABILITIES = "0000000000000000"
_BIND_LOW_PORTS = "0000000000000400"  # CAP_NET_BIND_SERVICE alone
_SANDBOX = ("bwrap", "setpriv", "sh")
"""What starts a part and steps down; it may still be root where the part is not."""


def parts_probes(target: Target) -> list[Probe]:
    """Return the looks at the running parts."""
    return [
        Probe(
            "parts.rights",
            "parts",
            "What a part could do to the machine if it were taken over.",
            "an ordinary user, no capability, no way to gain one",
            "Start the stack with `talkbutton up`, which steps down for every part.",
            partial(asyncio.to_thread, _rights, target),
        ),
        Probe(
            "parts.command-lines",
            "parts",
            "Reading the command lines of all processes of this machine for our secrets.",
            "none is there",
            "Give secrets by file only; end the process that is named.",
            partial(asyncio.to_thread, _command_lines, target),
        ),
        Probe(
            "parts.environments",
            "parts",
            "Reading the parts' environments for our secrets.",
            "none is there",
            "Give secrets by file; then start the stack again.",
            partial(asyncio.to_thread, _environments, target),
        ),
        Probe(
            "parts.own-secrets",
            "parts",
            "Reading, as each part, the whole secrets file and the other parts' secrets.",
            "no part can see them",
            "Start the stack with `talkbutton up`, which gives each part a sandbox.",
            partial(asyncio.to_thread, _own_secrets, target),
        ),
        Probe(
            "parts.bridge-listens-privately",
            "parts",
            "Every socket that the bridge holds.",
            "RTP in its range on the private address, nothing else",
            "Set network.private_address to a private address; run `talkbutton up` again.",
            partial(asyncio.to_thread, _bridge_listens, target),
        ),
        Probe(
            "parts.others-listen-nowhere",
            "parts",
            "Every socket that the keeper and the speech workers hold.",
            "none",
            "Start the stack with `talkbutton up`, which gives speech workers no network.",
            partial(asyncio.to_thread, _others_listen, target),
        ),
        Probe(
            "parts.edge-listens",
            "parts",
            "Every socket that the edge holds.",
            "edge.port on edge.listen_address, nothing else",
            "Start the stack with `talkbutton up`.",
            partial(asyncio.to_thread, _edge_listens, target),
        ),
    ]


def _processes(target: Target) -> Iterator[tuple[str, int]]:
    """Yield part and process id of every process inside the parts' sandboxes."""
    for part, pid in target.pids.items():
        for process in processes_of(pid):
            with suppress(OSError):
                name = Path(f"/proc/{process}/comm").read_text(encoding="utf-8").strip()
                if name not in _SANDBOX:
                    yield part, process


def _rights(target: Target) -> Outcome:
    low = {one.part for one in listeners(target.settings) if one.port < LOW_PORTS}
    broken, seen = [], set()
    for part, process in _processes(target):
        with suppress(OSError):
            lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
            status = {name: text.split() for name, _, text in (s.partition(":") for s in lines)}
            allowed = {_NO_CAPABILITIES} | ({_BIND_LOW_PORTS} if part in low else set())
            wanted = {"CapEff": allowed, "CapPrm": allowed, "NoNewPrivs": {"1"}}
            broken += [f"{part} is root"] if "0" in status["Uid"][:3] else []
            broken += [
                f"{part}: {name} is {status[name][0]}"
                for name, values in wanted.items()
                if status[name][0] not in values
            ]
            seen.add(part)
    if not seen:
        return NotTried("no part runs, or its processes may not be looked at")
    return judge(f"so for all {len(seen)} parts", broken, tried=len(seen))


def _command_lines(target: Target) -> Outcome:
    secrets = target.secret_values()
    broken, seen = [], 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (process / "cmdline").read_bytes()
            seen += 1
            broken += [
                f"process {process.name} shows {name}"
                for name, secret in secrets.items()
                if secret.encode() in command
            ]
    return judge(f"read {seen}, found none", broken, tried=seen)


def _environments(target: Target) -> Outcome:
    secrets = target.secret_values()
    broken, seen = [], 0
    for part, process in _processes(target):
        with suppress(OSError):
            environment = Path(f"/proc/{process}/environ").read_bytes()
            seen += 1
            broken += [
                f"{part} holds {name}"
                for name, secret in secrets.items()
                if secret.encode() in environment
            ]
    return judge(f"read {seen}, found none", broken, tried=seen)


def _own_secrets(target: Target) -> Outcome:
    """A part's root may only be looked into by its owner and root."""
    broken, seen = [], set()
    files = [target.secrets_file, *target.places.run.rglob("secrets.toml")]
    for part, process in _processes(target):
        root = Path(f"/proc/{process}/root")
        try:
            next(root.iterdir(), None)
        except OSError:
            continue
        seen.add(part)
        own = target.places.run / part
        for file in files:
            inside = root / file.relative_to("/")
            if not file.is_relative_to(own) and inside.exists():
                broken.append(f"{part} sees {file.relative_to(target.places.folder)}")
    if not seen:
        return NotTried("the parts' roots may not be looked into; run it as their owner")
    return judge(f"so for all {len(seen)} parts", sorted(set(broken)), tried=len(seen))


def _bridge_listens(target: Target) -> Outcome:
    ports = target.settings.bridge.rtp_ports

    def is_allowed(one: OpenSocket) -> bool:
        is_rtp = one.protocol == "udp" and within(ports, one.port)
        return is_rtp and one.address == target.private

    return listens_only(target, "bridge", is_allowed)


def _edge_listens(target: Target) -> Outcome:
    edge = target.settings.edge

    def is_allowed(one: OpenSocket) -> bool:
        return (one.protocol, one.address, one.port) == ("tcp", edge.listen_address, edge.port)

    return listens_only(target, "edge", is_allowed)


def _others_listen(target: Target) -> Outcome:
    parts = [name for name in target.pids if name == "keeper" or _is_speech(name)]
    found = [listens_only(target, part, lambda _: False) for part in parts]
    if not found:
        return NotTried("neither runs")
    unlike = [one for one in found if one != found[0]]
    return unlike[0] if unlike else found[0]


def _is_speech(name: str) -> bool:
    return name in PART_BY_NAME and PART_BY_NAME[name].kind == "speech"
