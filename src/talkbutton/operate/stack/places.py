"""Where the stack keeps its files: programs for the machine, everything else beside the settings.

<data>/telephony/rootfs          the telephony programs, once for the machine
<folder>/talkbutton.toml         settings; secrets and knowledge beside it
<folder>/.talkbutton/run/        sockets, locks, each part's settings, secrets and start script
<folder>/.talkbutton/config/     rendered configuration of the daemons
<folder>/.talkbutton/state/      bus, journal, caches: what the parts write
<folder>/.talkbutton/log/        one log for each part
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from talkbutton.errors import StackError
from talkbutton.operate.stack.parts import FOLLOWED
from talkbutton.runtime.ledger import LEDGER_FILE

__all__ = ["DATA_DIR_VARIABLE", "DataPlaces", "Places", "data_places"]

DATA_DIR_VARIABLE = "TALKBUTTON_DATA_DIR"
"""Names another folder for the telephony programs."""

_SOCKET_PATH_MAX_CHARS = 107  # sun_path, less its final zero
_LONGEST_SOCKET = ".talkbutton/state/speech/speech-transcriber.sock"


@dataclass(frozen=True, slots=True)
class DataPlaces:
    """Folders that all deployments of this machine (or user) share.

    Attributes:
        root: ``/var/lib/talkbutton`` for root, ``~/.local/share/talkbutton`` otherwise.
    """

    root: Path

    @property
    def telephony(self) -> Path:
        """Folder of the telephony programs and what their installation needs."""
        return self.root / "telephony"

    @property
    def rootfs(self) -> Path:
        """Root file system with the telephony programs; exists only when it is whole."""
        return self.telephony / "rootfs"

    @property
    def rootfs_partial(self) -> Path:
        """The same while it is being made."""
        return self.telephony / "rootfs.partial"

    @property
    def packages(self) -> Path:
        """Downloaded packages, kept while an installation is not finished."""
        return self.telephony / "packages"

    @property
    def install_lock(self) -> Path:
        """Held by the one installation that runs."""
        return self.telephony / "install.lock"


@dataclass(frozen=True, slots=True)
class Places:
    """Folders of one deployment.

    Attributes:
        settings: The settings file, absolute.
    """

    settings: Path

    @property
    def folder(self) -> Path:
        """Folder of the settings file; relative paths in the settings start here."""
        return self.settings.parent

    @property
    def own(self) -> Path:
        """Everything that ``up`` makes."""
        return self.folder / ".talkbutton"

    @property
    def run(self) -> Path:
        """Sockets, locks, each part's settings, secrets and start script."""
        return self.own / "run"

    @property
    def state(self) -> Path:
        """What the parts share and write."""
        return self.own / "state"

    @property
    def bus(self) -> Path:
        """Bus sockets."""
        return self.state / "bus"

    @property
    def speech(self) -> Path:
        """Speech workers' sockets."""
        return self.state / "speech"

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.state / "journal.sqlite"

    @property
    def ledger(self) -> Path:
        """The ledger's file, where ``limits.store`` is ``sqlite``."""
        return self.state / LEDGER_FILE

    @property
    def log(self) -> Path:
        """One log for each part."""
        return self.own / "log"

    @property
    def up_lock(self) -> Path:
        """Held by the ``up`` that runs here; holds its process id."""
        return self.run / "up.lock"

    @property
    def supervisor_socket(self) -> Path:
        """Where the process supervisor is asked."""
        return self.run / "supervisor.sock"

    @property
    def supervisor_pid(self) -> Path:
        """Process id of the process supervisor, while it runs."""
        return self.run / "supervisord.pid"

    @property
    def supervisor_log(self) -> Path:
        """The process supervisor's diary."""
        return self.log / "supervisord.log"

    def config(self, daemon: str) -> Path:
        """Return the folder of a daemon's rendered configuration."""
        return self.own / "config" / daemon

    def spool(self, daemon: str) -> Path:
        """Return the folder in which a daemon keeps things between two starts."""
        return self.own / "spool" / daemon

    def part_given(self, part: str) -> Path:
        """Return the folder that a Python part is shown; files in it may be replaced meanwhile."""
        return self.run / part / "given"

    def part_settings(self, part: str) -> Path:
        """Return a Python part's own copy of the settings in force."""
        return self.part_given(part) / "talkbutton.toml"

    def part_secrets(self, part: str) -> Path:
        """Return the file with a Python part's own secrets."""
        return self.part_given(part) / "secrets.toml"

    @property
    def edge_tls(self) -> Path:
        """Return the folder with the edge's copy of its certificate; the edge sees it whole."""
        return self.run / "edge" / "tls"

    @property
    def edge_certificate(self) -> Path:
        """Return the edge's copy of its certificate chain."""
        return self.edge_tls / "certificate.pem"

    @property
    def edge_key(self) -> Path:
        """Return the edge's copy of its certificate's key."""
        return self.edge_tls / "key.pem"

    def part_start(self, part: str) -> Path:
        """Return the script that starts a part in its sandbox."""
        return self.run / part / "start.sh"

    def part_log(self, part: str) -> Path:
        """Return a part's log file; one that another part reads has a folder of its own."""
        folder = self.log / part if part == FOLLOWED else self.log
        return folder / f"{part}.log"

    def check(self) -> None:
        """Refuse a folder whose path is too long for Unix sockets.

        Raises:
            StackError: If it is.
        """
        excess_chars = len(str(self.folder / _LONGEST_SOCKET)) - _SOCKET_PATH_MAX_CHARS
        if excess_chars > 0:
            raise StackError(
                "up",
                f"the path of {self.folder} is {excess_chars} characters too long for sockets",
                hint="move the settings to a folder with a shorter path",
            )


def data_places(environ: Mapping[str, str], *, is_root: bool, home: Path) -> DataPlaces:
    """Return where the telephony programs are kept."""
    if named := environ.get(DATA_DIR_VARIABLE):
        return DataPlaces(Path(named).absolute())
    if is_root:
        return DataPlaces(Path("/var/lib/talkbutton"))
    return DataPlaces(home / ".local" / "share" / "talkbutton")
