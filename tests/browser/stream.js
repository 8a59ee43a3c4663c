// Ask a recorded question, and play the answer by MediaSource while it is being made.
// Returns when things happened, milliseconds, and what a person would have seen.
async ([question]) => {
  const bytes = Uint8Array.from(atob(question), (letter) => letter.charCodeAt(0));
  const form = new FormData();
  form.append("audio", new Blob([bytes]));
  const began = performance.now();
  const since = () => performance.now() - began;
  const response = await fetch("api/v1/conversation/stream", { method: "POST", body: form });
  const video = document.createElement("video");
  video.muted = true;
  document.body.append(video);
  const source = new MediaSource();
  video.src = URL.createObjectURL(source);
  await new Promise((done) => source.addEventListener("sourceopen", done, { once: true }));
  const seen = { events: [], played: null, complete: null, size: null, lit: false };
  const look = () => {
    if (video.currentTime < 0.2 || seen.played !== null) return;
    seen.played = since();
    seen.size = [video.videoWidth, video.videoHeight];
    const canvas = new OffscreenCanvas(8, 8);
    const context = canvas.getContext("2d");
    context.drawImage(video, 0, 0, 8, 8);
    seen.lit = context.getImageData(0, 0, 8, 8).data.some((value, i) => i % 4 < 3 && value > 30);
  };
  video.addEventListener("timeupdate", look);
  let buffer = null;
  const append = async ({ data, mime }) => {
    buffer ??= source.addSourceBuffer(mime);
    buffer.appendBuffer(Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)));
    await new Promise((done) => buffer.addEventListener("updateend", done, { once: true }));
  };
  let text = "";
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    text += part;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const [, name] = block.match(/^event: (.*)$/m);
      const data = JSON.parse(block.match(/^data: (.*)$/m)[1]);
      seen.events.push(name);
      if (name === "video") {
        await append(data);
        if (data.index === 1) await video.play();
      }
      if (name === "complete") seen.complete = since();
    }
  }
  source.endOfStream();
  seen.buffered = [video.buffered.length, video.buffered.end(video.buffered.length - 1)];
  seen.error = video.error?.message ?? null;
  return seen;
};
