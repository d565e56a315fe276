/**
 * Records both sides of a call: the microphone, and the bot as the page hears it.
 *
 * An expression whose value is a function, so that any driver can evaluate it. Two ways:
 * - `worklet`: raw samples of both sides in one clock, exact; needs a running audio clock and a
 *   page without a policy against blob: scripts.
 * - `media`: a MediaRecorder for each side, decoded at the end and laid side by side by the time
 *   of their starts (some 10 ms exact); for browsers on a machine without a sound device.
 */
async () => {
  const BLOCK = 2048;
  const origin = performance.now();
  const context = new AudioContext();
  const element = document.querySelector('talk-button');
  const devices = navigator.mediaDevices;

  const worklet = `registerProcessor('recorder', class extends AudioWorkletProcessor {
    constructor() { super(); this.begin(); }
    begin() { this.block = new Int16Array(${BLOCK} * 2); this.filled = 0; this.time = currentTime; }
    process([input]) {
      for (let index = 0; index < 128; index += 1) {
        for (let side = 0; side < 2; side += 1) {
          const sample = input[side] ? input[side][index] : 0;
          this.block[2 * (this.filled + index) + side] = Math.max(-1, Math.min(1, sample)) * 32767;
        }
      }
      this.filled += 128;
      if (this.filled === ${BLOCK}) {
        this.port.postMessage([this.block, this.time], [this.block.buffer]);
        this.begin();
      }
      return true;
    }
  });`;

  async function openWorklet() {
    const isRunning = await Promise.race([
      context.resume().then(() => true),
      new Promise((resolve) => setTimeout(resolve, 1000, false)),
    ]);
    if (!isRunning) throw new Error('the audio clock stands still');
    const url = URL.createObjectURL(new Blob([worklet], { type: 'text/javascript' }));
    await context.audioWorklet.addModule(url);
    const options = { channelCount: 2, channelCountMode: 'explicit' };
    const recorder = new AudioWorkletNode(context, 'recorder', options);
    const merger = new ChannelMergerNode(context, { numberOfInputs: 2 });
    const blocks = [];
    let startedAt = null;
    recorder.port.onmessage = ({ data: [block, time] }) => {
      startedAt ??= time;
      blocks.push(block);
    };
    merger.connect(recorder).connect(context.destination);
    const sides = [0, 1].map((index) => {
      const side = new GainNode(context, { channelCount: 1, channelCountMode: 'explicit' });
      side.connect(merger, 0, index);
      return side;
    });
    const silence = new ConstantSourceNode(context, { offset: 0 });
    sides.forEach((side) => silence.connect(side));
    silence.start();
    return {
      kind: 'worklet',
      now: () => context.currentTime,
      attach: (stream, side) =>
        new MediaStreamAudioSourceNode(context, { mediaStream: stream }).connect(sides[side]),
      async take() {
        await context.close();
        const pcm = new Int16Array(blocks.length * BLOCK * 2);
        blocks.forEach((block, index) => pcm.set(block, index * BLOCK * 2));
        return { pcm, rateHz: context.sampleRate, startedAt: startedAt ?? 0 };
      },
    };
  }

  function openMedia() {
    const rateHz = 48000;
    const seconds = () => (performance.now() - origin) / 1000;
    const parts = [];
    return {
      kind: 'media',
      now: seconds,
      attach(stream, side) {
        const recorder = new MediaRecorder(new MediaStream(stream.getAudioTracks()));
        const part = { side, blobs: [], at: 0, recorder };
        recorder.onstart = () => (part.at = seconds());
        part.stopped = new Promise((resolve) => (recorder.onstop = resolve));
        recorder.ondataavailable = (event) => part.blobs.push(event.data);
        recorder.start();
        parts.push(part);
      },
      async take() {
        const pcm = new Int16Array(Math.ceil(seconds() * rateHz) * 2);
        for (const { side, blobs, at, recorder, stopped } of parts) {
          if (recorder.state !== 'inactive') recorder.stop();
          await stopped;
          const bytes = await new Blob(blobs).arrayBuffer();
          if (bytes.byteLength === 0) continue;
          const decoder = new OfflineAudioContext(1, 1, rateHz);
          const samples = (await decoder.decodeAudioData(bytes)).getChannelData(0);
          const first = Math.round(at * rateHz);
          samples.forEach((sample, index) => {
            const place = 2 * (first + index) + side;
            if (place < pcm.length) pcm[place] = Math.max(-1, Math.min(1, sample)) * 32767;
          });
        }
        return { pcm, rateHz, startedAt: 0 };
      },
    };
  }

  const recorder = await openWorklet().catch(openMedia);
  const ask = devices.getUserMedia.bind(devices);
  devices.getUserMedia = async (wanted) => {
    const stream = await ask(wanted);
    recorder.attach(stream, 0);
    return stream;
  };
  let pressedAt = null;
  element.addEventListener('click', () => (pressedAt ??= recorder.now()), { capture: true });
  let attached = null;
  const watch = setInterval(() => {
    const stream = element.remoteStream;
    if (stream && stream !== attached) recorder.attach((attached = stream), 1);
  }, 5);

  function toBase64(bytes) {
    let text = '';
    for (let index = 0; index < bytes.length; index += 32768) {
      text += String.fromCharCode(...bytes.subarray(index, index + 32768));
    }
    return btoa(text);
  }

  window.talkbuttonRecorder = {
    async take() {
      clearInterval(watch);
      devices.getUserMedia = ask;
      const { pcm, rateHz, startedAt } = await recorder.take();
      const pressed = pressedAt === null ? null : Math.round((pressedAt - startedAt) * rateHz);
      return {
        kind: recorder.kind,
        rateHz,
        pcm: toBase64(new Uint8Array(pcm.buffer)),
        pressedAtSamples: pressed === null ? null : Math.max(0, pressed),
      };
    },
  };
}
