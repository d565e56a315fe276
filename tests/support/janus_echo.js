/**
 * Joins Janus's own echo test and puts its stream where the recorder looks for the bot's voice.
 *
 * What comes back has passed the browser, the network and Janus, and nothing behind Janus: the
 * yardstick for the whole chain in the same run.
 */
async ([address, login]) => {
  const socket = new WebSocket(address, 'janus-protocol');
  await new Promise((opened, failed) => {
    socket.onopen = opened;
    socket.onerror = failed;
  });
  const waiting = new Map();
  let answered;
  const answer = new Promise((resolve) => (answered = resolve));
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.jsep) answered(message.jsep);
    waiting.get(message.transaction)?.(message);
  };
  const ask = (request) =>
    new Promise((resolve) => {
      const transaction = crypto.randomUUID();
      waiting.set(transaction, resolve);
      socket.send(JSON.stringify({ ...request, transaction, ...login }));
    });
  const session = (await ask({ janus: 'create' })).data.id;
  const attach = { janus: 'attach', plugin: 'janus.plugin.echotest', session_id: session };
  const handle = (await ask(attach)).data.id;
  const peer = new RTCPeerConnection();
  peer.ontrack = ({ track }) => {
    const stream = new MediaStream([track]);
    const player = new Audio();
    player.srcObject = stream;
    player.muted = true;
    player.play();
    const button = document.querySelector('talk-button');
    Object.defineProperty(button, 'remoteStream', { get: () => stream });
  };
  const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
  peer.addTrack(microphone.getTracks()[0], microphone);
  await peer.setLocalDescription();
  await new Promise((done) => {
    if (peer.iceGatheringState === 'complete') done();
    peer.onicegatheringstatechange = () => peer.iceGatheringState === 'complete' && done();
  });
  const { type, sdp } = peer.localDescription;
  const place = { session_id: session, handle_id: handle };
  await ask({ janus: 'message', ...place, body: { audio: true }, jsep: { type, sdp } });
  await peer.setRemoteDescription(await answer);
  await new Promise((connected) => {
    const look = () => peer.connectionState === 'connected' && connected();
    peer.onconnectionstatechange = look;
    look();
  });
  window.talkbuttonEcho = { peer, socket };
}
