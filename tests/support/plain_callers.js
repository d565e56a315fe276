/**
 * Calls without buttons: the same session, signaling and media as `<talk-button>`, and nothing drawn
 * or metered, so that one browser can carry many. All share one microphone.
 */
async ([wav, codec]) => {
  const context = new AudioContext();
  const bytes = Uint8Array.from(atob(wav), (letter) => letter.charCodeAt(0));
  const speech = await context.decodeAudioData(bytes.buffer);
  const microphone = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
  const source = new AudioBufferSourceNode(context, { buffer: speech, loop: true });
  source.connect(microphone);
  source.start();
  const calls = [];
  window.talkbuttonCallers = {
    inCall: () => calls.filter(({ peer }) => peer.connectionState === 'connected').length,
    end: () => calls.splice(0).forEach(({ peer, socket }) => {
      socket.send(JSON.stringify({ type: 'bye', reason: 'hung_up' }));
      socket.close();
      peer.close();
    }),
    packetsReceived: async () => Promise.all(calls.map(async ({ peer }) => {
      const reports = [...(await peer.getStats()).values()];
      return reports.find(({ type }) => type === 'inbound-rtp')?.packetsReceived ?? 0;
    })),
    add: async () => {
      const answered = await fetch('/v1/sessions', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: '{}',
      });
      const grant = await answered.json();
      const peer = new RTCPeerConnection();
      peer.addTrack(microphone.stream.getAudioTracks()[0].clone(), microphone.stream);
      const { codecs } = RTCRtpReceiver.getCapabilities('audio');
      const isWanted = ({ mimeType }) => mimeType.toLowerCase() === `audio/${codec.toLowerCase()}`;
      peer.getTransceivers()[0].setCodecPreferences(codecs.filter(isWanted));
      const player = new Audio();
      player.muted = true;
      peer.ontrack = ({ streams }) => (player.srcObject = streams[0]);
      const socket = new WebSocket(grant.signaling_url, 'talkbutton.v1');
      const say = (message) => socket.send(JSON.stringify(message));
      calls.push({ peer, socket, player });
      await new Promise((opened) => (socket.onopen = opened));
      say({ type: 'start', token: grant.token });
      socket.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        if (message.type === 'answer') peer.setRemoteDescription(message);
      };
      await peer.setLocalDescription();
      say({ type: 'offer', sdp: peer.localDescription.sdp });
      peer.onicecandidate = ({ candidate }) =>
        candidate?.candidate && say({ type: 'candidate', ...candidate.toJSON() });
    },
  };
}
