"""A person with a browser: presses the button, speaks utterances, reads captions."""

import base64
import json
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from support.browser import FirefoxPage, ScriptRunner
from support.stack import wait_until

AUDIO_DIR = Path(__file__).parents[2].parent / "shared" / "audio"
MICROPHONE_RATE_HZ = 48_000

_SPEAKING_MICROPHONE = Path(__file__).with_name("speaking_microphone.js")
_WATCH = """() => {
  window.talkbuttonSeen = { states: [], captions: {} };
  const element = document.querySelector('talk-button');
  element.addEventListener('talkbutton-statechange', (event) => {
    window.talkbuttonSeen.states.push(event.detail);
  });
  element.addEventListener('talkbutton-caption', (event) => {
    const { speaker, utteranceId, text } = event.detail;
    window.talkbuttonSeen.captions[`${speaker} ${utteranceId}`] = text;
  });
}"""

_LISTEN = """({ loudMs, silentMs }) => new Promise((resolve, reject) => {
  const context = new AudioContext();
  const stream = document.querySelector('talk-button').remoteStream;
  const ear = new AnalyserNode(context, { fftSize: 1024 });
  const hush = new GainNode(context, { gain: 0 });  // Firefox runs only what leads to a speaker
  new MediaStreamAudioSourceNode(context, { mediaStream: stream }).connect(ear).connect(hush);
  hush.connect(context.destination);
  const samples = new Float32Array(1024);
  let firstLoud = null;
  let lastLoud = performance.now();
  const end = (settle, value) => {
    clearInterval(timer);
    clearTimeout(limit);
    context.close().then(() => settle(value));
  };
  const limit = setTimeout(() => end(reject, new Error('listened for 30 s in vain')), 30_000);
  const timer = setInterval(() => {
    ear.getFloatTimeDomainData(samples);
    const now = performance.now();
    if (context.currentTime < 0.2) lastLoud = now;  // the ear does not hear yet
    else if (Math.max(...samples.map(Math.abs)) > 0.03) {
      firstLoud ??= now;
      lastLoud = now;
    }
    const hasSounded = loudMs !== null && firstLoud !== null && lastLoud - firstLoud >= loudMs;
    if (hasSounded || (silentMs !== null && now - lastLoud > silentMs)) end(resolve, true);
  }, 10);
})"""


def utterance_file(text: str) -> Path:
    """Return a recording in which a caller says ``text``; a natural voice where there is one."""
    manifest: list[dict[str, str]] = json.loads((AUDIO_DIR / "manifest.json").read_text())
    files = sorted(entry["file"] for entry in manifest if entry["text"] == text)
    assert files, f"nobody says {text!r}"
    return AUDIO_DIR / files[0]


def read_wav(path: Path) -> tuple[npt.NDArray[np.float32], int]:
    """Return a mono 16-bit file's samples, -1..1, and its rate."""
    with wave.open(str(path)) as opened:
        assert (opened.getnchannels(), opened.getsampwidth()) == (1, 2), path
        pcm = np.frombuffer(opened.readframes(opened.getnframes()), "<i2")
        return (pcm / 32_768).astype(np.float32), opened.getframerate()


def write_microphone(path: Path, script: Sequence[tuple[float, str]], *, length_s: float) -> Path:
    """Write a file for a fake microphone: each text is spoken at its second, silence between."""
    samples = np.zeros(int(length_s * MICROPHONE_RATE_HZ), np.float32)
    for at_s, text in script:
        spoken, rate_hz = read_wav(utterance_file(text))
        resampled = soxr.resample(spoken, rate_hz, MICROPHONE_RATE_HZ)
        start = int(at_s * MICROPHONE_RATE_HZ)
        samples[start : start + len(resampled)] = resampled
    return write_wav(path, samples)


def write_wav(path: Path, samples: npt.NDArray[np.float32]) -> Path:
    """Write samples, -1..1, as a mono file of ``MICROPHONE_RATE_HZ``."""
    with wave.open(str(path), "wb") as opened:
        opened.setnchannels(1)
        opened.setsampwidth(2)
        opened.setframerate(MICROPHONE_RATE_HZ)
        opened.writeframes((samples * 32_767).astype("<i2").tobytes())
    return path


@dataclass(frozen=True, slots=True)
class Visitor:
    """One open page with the button on it.

    Attributes:
        page: The page, of any browser.
    """

    page: ScriptRunner

    @classmethod
    def arrive(cls, page: Any, url: str, *, speaks: bool = True) -> "Visitor":
        """Open the page and start to watch; ``speaks`` gives it a microphone for ``say``."""
        page.goto(url)
        visitor = cls(page)
        wait_until(
            "the button is defined",
            lambda: bool(page.evaluate("() => !!customElements.get('talk-button')")),
            deadline_s=15,
        )
        if speaks:
            page.evaluate(_SPEAKING_MICROPHONE.read_text())
        page.evaluate(_WATCH)
        return visitor

    def press(self) -> None:
        """Press the button."""
        if isinstance(self.page, FirefoxPage):
            self.page.press_button()
        else:
            self.page.locator("talk-button").locator("[part~=button]").click()  # type: ignore[attr-defined]

    def hang_up(self) -> None:
        """Press the button that ends the call: the same one."""
        self.press()

    def wait_for_bot_audible(self, *, for_ms: int = 0) -> None:
        """Wait until the bot's voice has sounded in the page for so long in all."""
        self.page.evaluate(_LISTEN, {"loudMs": for_ms, "silentMs": None})

    def wait_for_bot_silent(self) -> None:
        """Wait until the bot has said nothing for a second."""
        self.page.evaluate(_LISTEN, {"loudMs": None, "silentMs": 1_000})

    def say(self, text: str) -> None:
        """Speak one of the recorded utterances to its end."""
        self.play(utterance_file(text))

    def play(self, wav: Path) -> None:
        """Let the microphone hear a file to its end."""
        encoded = base64.b64encode(wav.read_bytes()).decode()
        self.page.evaluate("(wav) => window.talkbuttonVisitor.say(wav)", encoded)

    def begin_to_say(self, text: str) -> None:
        """Speak one of the recorded utterances without waiting for its end."""
        encoded = base64.b64encode(utterance_file(text).read_bytes()).decode()
        self.page.evaluate("(wav) => void window.talkbuttonVisitor.say(wav)", encoded)

    def state(self) -> str:
        """Return the button's state now."""
        return str(
            self.page.evaluate("() => document.querySelector('talk-button').getAttribute('state')")
        )

    def end_code(self) -> str:
        """Return why the last call ended."""
        states: list[dict[str, Any]] = self.page.evaluate("() => window.talkbuttonSeen.states")
        ended = [state for state in states if state["name"] == "ended"]
        assert ended, f"no call has ended: {states}"
        return str(ended[-1]["reason"]["code"])

    def shown(self) -> str:
        """Return all words that the button shows."""
        return str(
            self.page.evaluate("() => document.querySelector('talk-button').shadowRoot.textContent")
        )

    def captions(self, speaker: str) -> list[str]:
        """Return the captions of ``visitor`` or ``bot``, oldest first."""
        seen: dict[str, str] = self.page.evaluate("() => window.talkbuttonSeen.captions")
        return [text for key, text in seen.items() if key.startswith(f"{speaker} ")]

    def wait_for_state(self, state: str, *, deadline_s: float = 15) -> None:
        """Wait until the button is in ``state``."""
        wait_until(f"the button is {state}", lambda: self.state() == state, deadline_s=deadline_s)

    def wait_for_caption(self, speaker: str, words: str, *, deadline_s: float = 20) -> None:
        """Wait until a caption of ``speaker`` has ``words`` in it, whatever the case."""
        wait_until(
            f"{speaker} says {words!r}; heard so far: {self.captions(speaker)}",
            lambda: any(words.lower() in text.lower() for text in self.captions(speaker)),
            deadline_s=deadline_s,
        )
