"""Measures the bot in the box without telephony, on recorded waveforms.

    python benchmarks/speech.py [--rounds N]

Starts the four speech workers, holds real-time conversations on a scripted line, and prints
medians: end of the caller's speech to the bot's first sound, the caller's onset to the bot's
silence, how long each stage takes, and what each worker costs.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.scripted_line import ScriptedLine
from support.speech_workers import Recording, real_workers, recordings
from talkbutton.bots.local import SAMPLE_KNOWLEDGE_DIR, LocalBot
from talkbutton.events import Scalar
from talkbutton.settings.model import BotSettings

_LOUD = 0.02
_QUESTIONS = tuple(
    f"{voice}.wav"
    for voice in (
        "af_heart-00", "am_michael-09", "am_michael-13", "af_heart-20", "af_heart-24",
        "af_heart-32", "am_michael-33", "af_heart-36", "af_heart-16", "am_michael-21",
    )
)  # fmt: skip
_INTERRUPTION = "flite-slt-25.wav"


def edges_ms(track: bytes | bytearray, start_ms: int = 0) -> tuple[float, float]:
    """Return where sound starts and ends in ``track``, looked for from ``start_ms`` on."""
    samples = np.frombuffer(bytes(track), "<i2")[start_ms * 16 :].astype(np.float32) / 32_768
    loud = np.flatnonzero(np.abs(samples) > _LOUD)
    return start_ms + loud[0] / 16, start_ms + loud[-1] / 16


async def measure_answer(bot: LocalBot, recording: Recording, call: int) -> dict[str, Scalar]:
    """Ask one question after the greeting; return what was reported and measured."""
    line = ScriptedLine(call_id=f"answer{call}")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(line.run())
        talk = tasks.create_task(bot.converse(line))
        await line.until_reported("bot.greeted")
        await line.until_quiet()
        asked_ms = line.now_ms
        line.speak(recording.pcm)
        answered = await line.until_reported("bot.answered")
        heard = line.reported("bot.heard")[0]
        await line.until_quiet()
        line.hang_up()
        await talk
    _, caller_end_ms = edges_ms(line.caller_track)
    bot_start_ms, _ = edges_ms(line.bot_track, round(asked_ms))
    return {**heard, **answered, "waveform_ms": round(bot_start_ms - caller_end_ms)}


async def measure_barge_in(bot: LocalBot, recording: Recording, call: int) -> dict[str, Scalar]:
    """Speak over the greeting; return what was reported and measured."""
    line = ScriptedLine(call_id=f"barge{call}")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(line.run())
        talk = tasks.create_task(bot.converse(line))
        await line.until(lambda: line.now_ms >= 1_000 + call * 7)
        line.speak(recording.pcm)
        interrupted = await line.until_reported("bot.interrupted")
        line.hang_up()
        await talk
    caller_start_ms, _ = edges_ms(line.caller_track)
    return {**interrupted, "waveform_ms": round(line.cuts_at_ms[0] - caller_start_ms)}


def cpu_s_and_rss_mb(pid: int) -> tuple[float, float]:
    """Return the processor seconds and resident megabytes of a process (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100, int(fields[21]) * 4096 / 1e6


def show(title: str, rows: list[dict[str, Scalar]], *keys: str) -> None:
    """Print medians and ranges."""
    for key in keys:
        values = [float(str(row[key])) for row in rows]
        print(f"{title:22} {key:22} median {median(values):7.0f}  "
              f"min {min(values):6.0f}  max {max(values):6.0f}  n={len(values)}")  # fmt: skip


async def main(rounds: int) -> None:
    """Run all measurements."""
    voices = {recording.name: recording for recording in recordings()}
    with tempfile.TemporaryDirectory(prefix="tb") as folder:
        state_dir = Path(folder)
        async with real_workers(state_dir) as workers:
            settings = BotSettings()
            bot = LocalBot(
                settings, SAMPLE_KNOWLEDGE_DIR, state_dir / "speech", state_dir / "cache"
            )
            started_s = time.monotonic()
            await bot.open()
            print(
                f"open with an empty cache, workers loading: {time.monotonic() - started_s:.1f} s"
            )
            cold = [await measure_answer(bot, voices[_QUESTIONS[0]], 0)]
            show("answer, cache filling", cold, "waveform_ms")
            await bot.rehearsed()
            print(f"all phrases said after {time.monotonic() - started_s:.1f} s")
            before = {part: cpu_s_and_rss_mb(worker.pid)[0] for part, worker in workers.items()}
            begun_s = time.monotonic()
            answers = [
                await measure_answer(bot, voices[name], number)
                for number, name in enumerate(_QUESTIONS[:rounds])
            ]
            talked_s = time.monotonic() - begun_s
            keys = (
                "waveform_ms",
                "silence_to_audio_ms",
                "first_audio_ms",
                "transcribe_ms",
                "meaning_ms",
            )
            show("answer, cached", answers, *keys)
            for part, worker in workers.items():
                cpu_s, rss_mb = cpu_s_and_rss_mb(worker.pid)
                share = (cpu_s - before[part]) / talked_s
                print(f"speech-{part:15} {share:6.1%} of a core in one call, {rss_mb:5.0f} MB")
            cuts = [
                await measure_barge_in(bot, voices[_INTERRUPTION], number)
                for number in range(rounds)
            ]
            show("barge-in", cuts, "waveform_ms", "onset_to_cut_ms")
            await bot.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    asyncio.run(main(parser.parse_args().rounds))
