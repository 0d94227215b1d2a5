/**
 * Frames on the one socket: a little-endian u32 length and that many bytes of a JSON array.
 *
 * Every frame of a chunk is handled before the answers are written, in one write, unless that takes long: the
 * peer must see that each is answered in its time. The functions that touch bytes are captured when this module
 * loads, before any user code, and the socket never leaves its closure.
 */

const stringify = JSON.stringify;
const parse = JSON.parse;
const uncurry = Function.prototype.bind.bind(Function.prototype.call) as (
  f: unknown,
) => (...args: unknown[]) => unknown;
const encodeInto = uncurry(TextEncoder.prototype.encodeInto) as (
  e: TextEncoder,
  s: string,
  b: Uint8Array,
) => { written: number };
const decode = uncurry(TextDecoder.prototype.decode) as (d: TextDecoder, b: Uint8Array) => string;
const subarray = uncurry(Uint8Array.prototype.subarray) as (
  b: Uint8Array,
  from: number,
  to: number,
) => Uint8Array;
const copyWithin = uncurry(Uint8Array.prototype.copyWithin) as (
  b: Uint8Array,
  t: number,
  s: number,
  e: number,
) => void;
const set = uncurry(Uint8Array.prototype.set) as (b: Uint8Array, from: Uint8Array, at?: number) => void;
const toWellFormed = uncurry(String.prototype.toWellFormed) as (s: string) => string;
const Bytes = Uint8Array;
const soon = queueMicrotask;
const now = Date.now.bind(Date);
/** How long answers wait for those of the frames that came with theirs. */
const LONG_MS = 100;

export type Frame = unknown[];

export interface Socket {
  read(into: Uint8Array): Promise<number | null>;
  write(from: Uint8Array): Promise<number>;
}

export interface Wire {
  /** Queue a frame; it goes out with the other frames of this turn of the loop. */
  send(frame: Frame): void;
  /** Read until the peer hangs up. */
  run(handle: (frame: Frame) => void): Promise<void>;
}

/** Text that another JSON reader accepts: lone surrogates replaced, length bounded. */
export function clean(text: unknown, limit = 2000): string {
  const whole = typeof text === "string" ? text : `${text}`;
  return toWellFormed(whole.length > limit ? `${whole.slice(0, limit)}…` : whole);
}

export function openWire(socket: Socket): Wire {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  let out = new Bytes(1 << 16);
  let spare = new Bytes(1 << 16);
  let length = 0;
  let writing = false;
  let batching = false;
  let scheduled = false;

  function reserve(bytes: number): void {
    if (out.length - length >= bytes) return;
    const grown = new Bytes((length + bytes) * 2);
    set(grown, subarray(out, 0, length));
    out = grown;
  }

  function send(frame: Frame): void {
    const text = stringify(frame);
    reserve(text.length * 3 + 4);
    const written = encodeInto(encoder, text, subarray(out, length + 4, out.length)).written;
    out[length] = written & 255;
    out[length + 1] = (written >>> 8) & 255;
    out[length + 2] = (written >>> 16) & 255;
    out[length + 3] = written >>> 24;
    length += written + 4;
    if (!batching && !scheduled) {
      scheduled = true;
      soon(() => {
        scheduled = false;
        flush();
      });
    }
  }

  function flush(): void {
    if (!writing && length > 0) drain();
  }

  async function drain(): Promise<void> {
    writing = true;
    try {
      while (length > 0) {
        const full = out;
        const end = length;
        out = spare;
        spare = full;
        length = 0;
        for (let at = 0; at < end;) at += await socket.write(subarray(full, at, end));
      }
    } catch {
      // The peer is gone; the read side ends the process.
    } finally {
      writing = false;
    }
  }

  async function run(handle: (frame: Frame) => void): Promise<void> {
    let chunk = new Bytes(1 << 16);
    let start = 0;
    let end = 0;
    for (;;) {
      const n = await socket.read(subarray(chunk, end, chunk.length));
      if (n === null) return;
      end += n;
      batching = true;
      let since = now();
      for (;;) {
        if (end - start < 4) break;
        const size = (chunk[start] | (chunk[start + 1] << 8) | (chunk[start + 2] << 16)) +
          chunk[start + 3] * 0x1000000;
        if (end - start - 4 < size) {
          if (chunk.length - start < size + 4) {
            const grown = new Bytes((size + 4) * 2);
            set(grown, subarray(chunk, start, end));
            chunk = grown;
            end -= start;
            start = 0;
          }
          break;
        }
        const body = subarray(chunk, start + 4, start + 4 + size);
        start += size + 4;
        handle(parse(decode(decoder, body)));
        if (now() - since > LONG_MS) {
          batching = false;
          if (!writing) await drain();
          batching = true;
          since = now();
        }
      }
      batching = false;
      flush();
      if (start === end) start = end = 0;
      else if (chunk.length - end < 4096) {
        copyWithin(chunk, 0, start, end);
        end -= start;
        start = 0;
      }
    }
  }

  return { send, run };
}
