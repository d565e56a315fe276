"""Real browsers with fake microphones, and a recorder of what a call sounds like in the page.

Chromium is driven by Playwright's synchronous interface, Firefox by Marionette, its own remote
protocol. The recorder keeps both sides on one clock: the microphone left, the bot right.
"""

import base64
import io
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import wave
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Browser, Playwright, sync_playwright

__all__ = [
    "CHROMIUM",
    "FIREFOX",
    "FirefoxPage",
    "Recording",
    "ScriptRunner",
    "arm_recorder",
    "launch_chromium",
    "launch_firefox",
    "loudest_hz",
    "set_wav_microphone",
    "take_recording",
]

CHROMIUM = "/usr/bin/chromium"
FIREFOX = "firefox-esr"

RECORDER = Path(__file__).with_name("recorder.js")
WAV_MICROPHONE = Path(__file__).with_name("wav_microphone.js")

_FIREFOX_PREFERENCES: dict[str, bool | int | str] = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "datareporting.healthreport.uploadEnabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
}

_STRIP_POLICY = """
    Services.obs.addObserver({
      observe(channel) {
        channel.QueryInterface(Ci.nsIHttpChannel)
          .setResponseHeader("Content-Security-Policy", "", false);
      }
    }, "http-on-examine-response");
"""


@contextmanager
def launch_chromium(
    microphone_wav: Path | None = None,
    *,
    loop: bool = False,
    has_microphone: bool = True,
    answers_prompt: bool = True,
    secure_origins: Sequence[str] = (),
    flags: Sequence[str] = (),
) -> Iterator[Browser]:
    """Run headless Chromium with a fake microphone.

    Args:
        microphone_wav: Speech for the microphone, played from the first ``getUserMedia`` on; a
            beep every second without it.
        loop: Play the file again and again, not once and then silence.
        has_microphone: False for a machine without any.
        answers_prompt: Say yes to every question for the microphone; where False a context needs
            ``permissions=["microphone"]``, and a page without it is refused.
        secure_origins: Plain-http origins, such as ``http://192.0.2.2:8080``, to treat as secure.
        flags: More command line flags.
    """
    arguments = [
        "--autoplay-policy=no-user-gesture-required",
        "--disable-features=WebRtcHideLocalIpsWithMdns",
        "--disable-background-timer-throttling",
        "--disable-backgrounding-occluded-windows",
        "--disable-renderer-backgrounding",
        *flags,
    ]
    if has_microphone:
        arguments.append("--use-fake-device-for-media-stream")
    else:
        arguments.append("--use-fake-device-for-media-stream=device-count=0")
    if answers_prompt:
        arguments.append("--use-fake-ui-for-media-stream")
    if microphone_wav is not None:
        suffix = "" if loop else "%noloop"
        arguments.append(f"--use-file-for-fake-audio-capture={microphone_wav}{suffix}")
    if secure_origins:
        arguments.append(f"--unsafely-treat-insecure-origin-as-secure={','.join(secure_origins)}")
    with _playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=arguments, chromium_sandbox=os.geteuid() != 0
        )
        try:
            yield browser
        finally:
            browser.close()


_running: list[Playwright] = []


@contextmanager
def _playwright() -> Iterator[Playwright]:
    """Share one driver: Playwright allows one in a thread, and tests need two browsers."""
    if _running:
        yield _running[0]
        return
    with sync_playwright() as playwright:
        _running.append(playwright)
        try:
            yield playwright
        finally:
            _running.clear()


class ScriptRunner(Protocol):
    """A page that can evaluate a JavaScript expression and wait for its promise."""

    def evaluate(self, expression: str, arg: Any = None) -> Any:
        """Return the value of ``expression``, or of that function applied to ``arg``."""
        ...


class FirefoxPage:
    """One Firefox tab, with the few verbs of a Playwright page that the tests need."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def goto(self, url: str) -> None:
        """Open an address and wait until it is loaded."""
        self.client.navigate(url)

    def evaluate(self, expression: str, arg: Any = None) -> Any:
        """Evaluate in the page itself, not in a sandbox beside it."""
        script = f"""
            const [arg, done] = arguments;
            const value = ({expression});
            Promise.resolve(typeof value === 'function' ? value(arg) : value).then(
              (result) => done({{ result }}), (error) => done({{ error: String(error) }}));
        """
        answer = self.client.execute_async_script(
            script, script_args=[arg], sandbox=None, new_sandbox=False
        )
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer.get("result")

    def wait_for(self, expression: str, *, timeout_s: float = 15) -> Any:
        """Return the first true value of ``expression``."""
        return _wait_until(lambda: self.evaluate(expression), timeout_s, expression)

    def press_button(self, part: str = "button") -> None:
        """Click a part of the talk button, as a gesture of the user."""
        from marionette_driver.by import By

        host = self.client.find_element(By.CSS_SELECTOR, "talk-button")
        host.shadow_root.find_element(By.CSS_SELECTOR, f"[part~={part}]").click()

    def screenshot(self, path: Path) -> None:
        """Keep a picture of what is visible."""
        path.write_bytes(base64.b64decode(self.client.screenshot(full=False)))


@contextmanager
def launch_firefox(
    *,
    bypasses_policy: bool = True,
    secure_hosts: Sequence[str] = (),
    preferences: dict[str, bool | int | str] | None = None,
) -> Iterator[FirefoxPage]:
    """Run headless Firefox; its fake microphone hums 1 kHz, see ``set_wav_microphone``.

    Args:
        bypasses_policy: Take the Content-Security-Policy off every page, as the fake microphone
            needs.
        secure_hosts: Hosts to treat as secure although they are plain http.
        preferences: More preferences, or others.
    """
    from marionette_driver.marionette import Marionette

    profile = Path(tempfile.mkdtemp(prefix="talkbutton-firefox-"))
    port = _free_port()
    wanted = {**_FIREFOX_PREFERENCES, "marionette.port": port, **(preferences or {})}
    if secure_hosts:
        wanted["media.devices.insecure.enabled"] = True
        wanted["dom.securecontext.allowlist"] = ",".join(secure_hosts)
    lines = (f"user_pref({_quote(name)}, {_quote(value)});\n" for name, value in wanted.items())
    (profile / "user.js").write_text("".join(lines))
    program = shutil.which(FIREFOX)
    assert program is not None, f"{FIREFOX} is not installed"
    browser = subprocess.Popen(
        [
            program,
            "--headless",
            "--no-remote",
            "--marionette",
            "--remote-allow-system-access",
            "--profile",
            str(profile),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "HOME": str(profile)},
    )
    try:
        _wait_until(lambda: _is_listening(port), 60, "Firefox to listen")
        client = Marionette(host="127.0.0.1", port=port, bin=None)
        client.start_session({"acceptInsecureCerts": True})
        client.timeout.script = 60
        if bypasses_policy:
            with client.using_context("chrome"):
                client.execute_script(_STRIP_POLICY, sandbox=None)
        try:
            yield FirefoxPage(client)
        finally:
            client.delete_session()
    finally:
        _stop_group(browser)
        shutil.rmtree(profile, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Recording:
    """What a page heard, from ``arm_recorder`` to ``take_recording``.

    Attributes:
        kind: ``worklet`` is exact to the sample; ``media`` lays the two sides beside each other
            to some 10 ms.
        rate_hz: Sample rate of both channels.
        microphone: What the visitor's microphone gave, -1..1; silence before it was there.
        bot: What the bot said, -1..1, sample by sample beside ``microphone``.
        pressed_at_samples: Where in the recording the button was pressed first, if it was.
    """

    kind: Literal["worklet", "media"]
    rate_hz: int
    microphone: NDArray[np.float32]
    bot: NDArray[np.float32]
    pressed_at_samples: int | None


def arm_recorder(page: ScriptRunner) -> None:
    """Begin to record; call it after the page has loaded and before the button is pressed.

    For exact recordings open the page in a context with ``bypass_csp=True``. With a WAV
    microphone set that first, so that the recorder hears it.
    """
    page.evaluate(RECORDER.read_text())


def take_recording(page: ScriptRunner) -> Recording:
    """End the recording and return it."""
    answer = page.evaluate("() => window.talkbuttonRecorder.take()")
    samples = np.frombuffer(base64.b64decode(answer["pcm"]), dtype="<i2").reshape(-1, 2)
    scaled = samples.astype(np.float32) / np.float32(32_768)
    return Recording(
        kind=answer["kind"],
        rate_hz=int(answer["rateHz"]),
        microphone=scaled[:, 0].copy(),
        bot=scaled[:, 1].copy(),
        pressed_at_samples=answer["pressedAtSamples"],
    )


def set_wav_microphone(page: ScriptRunner, microphone_wav: Path, *, silence_s: int = 60) -> None:
    """Let the page's microphone speak a file once, in any browser; then it is silent.

    The file starts with ``getUserMedia``. The page needs a policy that allows blob: media.

    Args:
        page: The page, loaded.
        microphone_wav: 16-bit PCM.
        silence_s: Seconds of silence after the file; then the microphone ends.
    """
    spoken = io.BytesIO()
    with wave.open(str(microphone_wav)) as source, wave.open(spoken, "wb") as target:
        target.setparams(source.getparams())
        target.writeframes(source.readframes(source.getnframes()))
        frame_bytes = source.getnchannels() * source.getsampwidth()
        target.writeframes(bytes(frame_bytes * source.getframerate() * silence_s))
    page.evaluate(WAV_MICROPHONE.read_text(), base64.b64encode(spoken.getvalue()).decode())


def loudest_hz(samples: NDArray[np.float32], rate_hz: int) -> float:
    """Return the frequency that carries most of the sound."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate_hz / len(samples))


def _quote(value: bool | int | str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else f'"{value}"'


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_until(condition: Callable[[], Any], timeout_s: float, what: str) -> Any:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {timeout_s} s in vain for {what}")


def _stop_group(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
