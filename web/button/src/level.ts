/** How loud each side is, for the meter and for "who speaks". */

/** Levels of both sides, 0 (silent) to 1 (loud). */
export interface Levels {
  readonly visitor: number;
  readonly bot: number;
}

/** Quieter than this is drawn as silence. */
const FLOOR_DBOV = -60;
/** As loud as this, or louder, fills the meter. */
const CEILING_DBOV = -12;
/** At this level of the meter a side counts as speaking. */
export const SPEAKING_LEVEL = 0.3;

/** Return the level of samples in -1..1, on a scale of decibels mapped to 0..1. */
export function levelOf(samples: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < samples.length; index += 1) sum += (samples[index] ?? 0) ** 2;
  if (sum === 0) return 0;
  const dbov = 10 * Math.log10(sum / samples.length);
  return Math.min(1, Math.max(0, (dbov - FLOOR_DBOV) / (CEILING_DBOV - FLOOR_DBOV)));
}

/** Reads the levels of the streams it is given. Make it inside the click, or it stays silent. */
export class LevelMeter {
  readonly #context = new AudioContext({ latencyHint: 'interactive' });
  #visitor: AnalyserNode | null = null;
  #bot: AnalyserNode | null = null;
  readonly #samples = new Float32Array(1024);

  constructor() {
    this.resume();
  }

  /** Wake the audio clock; browsers keep it asleep until the visitor acts. */
  resume(): void {
    // A clock that will not wake costs the meter, never the call.
    if (this.#context.state === 'suspended') this.#context.resume().catch(() => undefined);
  }

  watchVisitor(stream: MediaStream): void {
    this.#visitor = this.#watch(stream);
  }

  watchBot(stream: MediaStream): void {
    this.#bot = this.#watch(stream);
  }

  levels(): Levels {
    return { visitor: this.#read(this.#visitor), bot: this.#read(this.#bot) };
  }

  close(): void {
    this.#context.close().catch(() => undefined);
  }

  #watch(stream: MediaStream): AnalyserNode {
    const analyser = new AnalyserNode(this.#context, { fftSize: this.#samples.length });
    new MediaStreamAudioSourceNode(this.#context, { mediaStream: stream }).connect(analyser);
    return analyser;
  }

  #read(analyser: AnalyserNode | null): number {
    if (!analyser) return 0;
    analyser.getFloatTimeDomainData(this.#samples);
    return levelOf(this.#samples);
  }
}
