// The way round a blocked WebSocket: whether it is one, and the same request through Gradio's named event /generate.

const ASK_WITHIN_MS = 5000;

/** Asks why the lane does not open: { isThere, refusal } with the server's { code, text } where it refuses. */
export async function whyClosed(base) {
  const url = new URL("live", base);
  url.searchParams.set("origin", location.origin);
  const answer = await ask(url);
  if (answer?.status !== 403) return { isThere: answer !== null, refusal: null };
  const refusal = await answer.json().catch(() => null);
  // a proxy that hides the server's name makes this site another one; events pass it all the same
  return { isThere: true, refusal: refusal?.text && refusal.code !== "origin" ? refusal : null };
}

/** What the server says of itself where it can draw, else null. */
export async function healthOf(base) {
  const answer = await ask(new URL("healthz", base));
  return answer?.ok ? answer.json().catch(() => null) : null;
}

/** A plain GET; null where the server cannot be reached. */
function ask(url) {
  return fetch(url, { signal: AbortSignal.timeout(ASK_WITHIN_MS) }).catch(() => null);
}

/** Sends one request; resolves to { header, payload } like a frame of the lane, or throws an Error. */
export async function generate(base, params, sketch) {
  const image = sketch ? { url: await dataUrl(sketch), meta: { _type: "gradio.FileData" } } : null;
  const steps = params.num_inference_steps ?? 0;
  const { prompt, strength, seed, model, width, height } = params;
  const side = 0; // of a square: callers that know no width and height name one
  const data = [prompt, image, strength, seed, steps, side, model, width, height];
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
