/**
 * Telephone audio as the hub sends it to a listener. Pure. G.711 mu-law, 8000 samples a second, one byte each.
 */

/** What 8 kHz mu-law is, whatever the page's own audio runs at. */
export const SAMPLE_RATE_HZ = 8000;

const HEADER_BYTES = 8;

/** The 256 values as floats between -1 and 1. ITU-T G.711: sign, 3 bits of exponent, 4 of mantissa, all inverted; bias 33 of 14 bits. */
const VALUES = Float32Array.from({ length: 256 }, (_, byte) => {
  const bits = ~byte & 0xff;
  const magnitude = ((((bits & 0x0f) << 3) + 0x84) << ((bits >> 4) & 0x07)) - 0x84;
  return (bits & 0x80 ? -magnitude : magnitude) / 32_768;
});

/** Decode one side. Takes bytes, gives as many samples. */
export function decode(bytes) {
  return Float32Array.from(bytes, (byte) => VALUES[byte]);
}

/**
 * Read one binary message: 4 bytes id of the call's sound, 4 bytes call time in ms (both big-endian), then left and right bytes in turn.
 *
 * Returns `{id, atMs, left, right}` or null for what is no such message.
 */
export function read(buffer) {
  if (buffer.byteLength < HEADER_BYTES) return null;
  const view = new DataView(buffer);
  const stereo = new Uint8Array(buffer, HEADER_BYTES);
  const samples = stereo.length >> 1;
  const left = new Float32Array(samples);
  const right = new Float32Array(samples);
  for (let at = 0; at < samples; at += 1) {
    left[at] = VALUES[stereo[2 * at]];
    right[at] = VALUES[stereo[2 * at + 1]];
  }
  return { id: view.getUint32(0), atMs: view.getUint32(4), left, right };
}
