/**
 * Formatted text, for the console and for the files of /proc: one formatter that hands each byte to a sink. Imports
 * nothing. Source: printf(3), reduced to what the kernel prints.
 */

/** A place in memory to write text to; bytes beyond `end` are dropped. */
@unmanaged
export class TextBuffer {
  next: usize = 0;
  end: usize = 0;
}

/** Receives one byte of the text. */
export type ByteSink = (context: usize, byte: u32) => void;

/** Digits of an u32 in decimal are at most ten. */
const digits: usize = memory.data(16);

/** Writes a number, at least `width` wide; a minus sign goes after blanks and before zeros. */
function emitNumber(sink: ByteSink, context: usize, value: u32, base: u32, width: u32, pad: u32, minus: bool): void {
  let count: u32 = 0;
  let rest = value;
  do {
    const digit = rest % base;
    store<u8>(digits + count, u8(digit < 10 ? digit + 0x30 : digit + 0x57));
    count++;
    rest /= base;
  } while (rest != 0);
  const used = count + u32(minus);
  if (minus && pad == 0x30) sink(context, 0x2d);
  for (let i = used; i < width; i++) sink(context, pad);
  if (minus && pad != 0x30) sink(context, 0x2d);
  while (count > 0) sink(context, load<u8>(digits + --count));
}

function emitSigned(sink: ByteSink, context: usize, value: i32, width: u32, pad: u32): void {
  emitNumber(sink, context, value < 0 ? u32(-value) : u32(value), 10, width, pad, value < 0);
}

/**
 * Writes `format` (a NUL-terminated kernel string) with its directives replaced by the arguments, in turn:
 * %s string, %d signed, %u unsigned, %x hexadecimal, %p eight hexadecimal digits, %c byte, %% a percent sign. A digit or two
 * before d, u or x is the least width, filled with blanks, or with zeros after a leading 0.
 */
export function formatText(sink: ByteSink, context: usize, format: usize, a: u32, b: u32, c: u32, d: u32): void {
  let index: u32 = 0;
  for (;;) {
    let byte: u32 = load<u8>(format++);
    if (byte == 0) return;
    if (byte != 0x25) {
      sink(context, byte);
      continue;
    }
    byte = load<u8>(format++);
    if (byte == 0) return;
    if (byte == 0x25) {
      sink(context, byte);
      continue;
    }
    let pad: u32 = 0x20;
    let width: u32 = 0;
    while (byte >= 0x30 && byte <= 0x39) {
      if (byte == 0x30 && width == 0) pad = 0x30;
      width = width * 10 + byte - 0x30;
      byte = load<u8>(format++);
    }
    const value = index == 0 ? a : index == 1 ? b : index == 2 ? c : d;
    index++;
    switch (byte) {
      case 0x73: // s
        for (let p: usize = value; load<u8>(p) != 0; p++) sink(context, load<u8>(p));
        break;
      case 0x64: // d
        emitSigned(sink, context, value as i32, width, pad);
        break;
      case 0x75: // u
        emitNumber(sink, context, value, 10, width, pad, false);
        break;
      case 0x78: // x
        emitNumber(sink, context, value, 16, width, pad, false);
        break;
      case 0x70: // p
        emitNumber(sink, context, value, 16, 8, 0x30, false);
        break;
      case 0x63: // c
        sink(context, value & 0xff);
        break;
    }
  }
}

/** The sink of a TextBuffer. */
export function bufferByte(context: usize, byte: u32): void {
  const buffer = changetype<TextBuffer>(context);
  if (buffer.next >= buffer.end) return;
  store<u8>(buffer.next, u8(byte));
  buffer.next++;
}
