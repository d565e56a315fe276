/** Replaces the microphone by one that speaks when `window.talkbuttonVisitor.say(wav)` asks it to. */
() => {
  const context = new AudioContext();
  const microphone = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
  const silence = new ConstantSourceNode(context, { offset: 0 });
  silence.connect(microphone);
  silence.start();
  navigator.mediaDevices.getUserMedia = async () => {
    await context.resume();
    return microphone.stream.clone();
  };
  window.talkbuttonVisitor = {
    say: async (base64) => {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const buffer = await context.decodeAudioData(bytes.buffer);
      const source = new AudioBufferSourceNode(context, { buffer });
      source.connect(microphone);
      source.start();
      await new Promise((ended) => (source.onended = ended));
    },
  };
}
