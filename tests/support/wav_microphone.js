/** Replaces the microphone by a WAV file, spoken once from the first `getUserMedia` on. */
async (base64) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const speech = document.createElement('audio');
  speech.src = URL.createObjectURL(new Blob([bytes], { type: 'audio/wav' }));
  await new Promise((resolve, reject) => {
    speech.oncanplaythrough = resolve;
    speech.onerror = () => reject(speech.error.message);
  });
  navigator.mediaDevices.getUserMedia = async () => {
    const stream = speech.captureStream?.() ?? speech.mozCaptureStream();
    await speech.play();
    return stream;
  };
}
