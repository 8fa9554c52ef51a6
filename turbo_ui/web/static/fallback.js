// The way round a blocked WebSocket: the same request through Gradio's named event /generate.

/** Sends one request; resolves to { header, payload } like a frame of the lane, or throws an Error. */
export async function generate(base, params, sketch) {
  const image = sketch ? { url: await dataUrl(sketch), meta: { _type: "gradio.FileData" } } : null;
  const steps = params.num_inference_steps ?? 0;
  const data = [params.prompt, image, params.strength, params.seed, steps, params.width, params.model];
  const asked = await fetch(new URL("gradio_api/call/generate", base), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ data }),
  });
  if (asked.status === 401) throw new Error("You are not logged in any more. Reload the page to log in.");
  if (!asked.ok) throw new Error(`The server refused the request (${asked.status}).`);
  const { event_id: eventId } = await asked.json();
  const [picture, record] = await resultOf(new URL(`gradio_api/call/generate/${eventId}`, base));
  const payload = new Uint8Array(await (await fetch(picture.url)).arrayBuffer());
  return { header: { ...record, kind: "frame" }, payload };
}

async function resultOf(url) {
  const events = await (await fetch(url)).text();
  const blocks = events.split("\n\n").map((block) => ({
    event: /^event: (.*)$/m.exec(block)?.[1],
    data: /^data: (.*)$/m.exec(block)?.[1],
  }));
  const done = blocks.find(({ event }) => event === "complete");
  if (done) return JSON.parse(done.data);
  const failed = blocks.find(({ event }) => event === "error");
  const told = failed ? JSON.parse(failed.data) : null;
  throw new Error(told?.error ?? told ?? "The server gave no picture.");
}

function dataUrl(bytes) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(new Blob([bytes], { type: "image/jpeg" }));
  });
}
