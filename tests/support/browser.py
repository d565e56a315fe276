"""Real browsers with fake microphones.

Chromium is driven by Playwright's synchronous interface, Firefox by Marionette, its own remote
protocol. What a page hears is recorded by ``support.recording``.
"""

import base64
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Playwright, sync_playwright

from support.recording import (
    Recording,
    ScriptRunner,
    arm_recorder,
    loudest_hz,
    set_wav_microphone,
    take_recording,
)
from support.sound_card import silent_sound_card

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
        arguments.append("--disable-audio-input")
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
    with warnings.catch_warnings():
        # The driver still imports telnetlib, which it does not use here.
        warnings.simplefilter("ignore", DeprecationWarning)
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
    sound = ExitStack()
    card = sound.enter_context(silent_sound_card())
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
        env={**os.environ, "HOME": str(profile), **card},
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
        sound.close()
        shutil.rmtree(profile, ignore_errors=True)


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
