/**
 * Telephone audio as the hub sends it to a listener: G.711 mu-law, 8000 samples per second, one byte each. Pure.
 */

/** The rate of telephone audio, whatever the rate of the browser's own audio. */
export const SAMPLE_RATE_HZ = 8000;

const HEADER_BYTES = 8;

/** The 256 values as floats between -1 and 1. ITU-T G.711: sign, 3 bits of exponent, 4 of mantissa, all inverted; bias 33 of 14 bits. */
const VALUES = Float32Array.from({ length: 256 }, (_, byte) => {
  const bits = ~byte & 0xff;
  const magnitude = ((((bits & 0x0f) << 3) + 0x84) << ((bits >> 4) & 0x07)) - 0x84;
  return (bits & 0x80 ? -magnitude : magnitude) / 32_768;
});

/** Decode one side: one sample per byte. */
export function decode(bytes) {
  return Float32Array.from(bytes, (byte) => VALUES[byte]);
}

/**
 * Read one binary message: 4 bytes with the id of the live audio, 4 bytes with the call time in ms (both big-endian), then left and right
 * bytes in turn.
 *
 * Returns `{id, atMs, left, right}`, or null if the message is too short.
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
