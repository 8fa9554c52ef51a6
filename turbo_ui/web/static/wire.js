// Messages of the live lane: four bytes of length (big-endian), a JSON header, a payload.

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** One message as an ArrayBuffer. */
export function pack(header, payload = null) {
  const json = encoder.encode(JSON.stringify(header));
  const size = payload ? payload.byteLength : 0;
  const message = new Uint8Array(4 + json.length + size);
  new DataView(message.buffer).setUint32(0, json.length);
  message.set(json, 4);
  if (payload) message.set(new Uint8Array(payload), 4 + json.length);
  return message.buffer;
}

/** { header, payload: Uint8Array } of one message; throws on what is not one. */
export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0);
  if (4 + length > buffer.byteLength) throw new RangeError("the header is longer than its message");
  const header = JSON.parse(decoder.decode(new Uint8Array(buffer, 4, length)));
  return { header, payload: new Uint8Array(buffer, 4 + length) };
}
