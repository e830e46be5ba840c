/**
 * Plays the jitter buffer in the browser's audio thread, so that a busy page does not interrupt the audio.
 */

import { JitterBuffer } from "./jitter.js";

class CallPlayer extends AudioWorkletProcessor {
  constructor() {
    super();
    this.buffer = new JitterBuffer(sampleRate);
    this.port.onmessage = ({ data }) => {
      if (data === "start") this.buffer = new JitterBuffer(sampleRate);
      else this.buffer.push(data.atMs, data.left, data.right);
    };
  }

  process(_, [[left, right]]) {
    this.buffer.pull(left, right);
    return true;
  }
}

registerProcessor("call-player", CallPlayer);
