/**
 * Byte strings ending in NUL, and blocks of bytes. Addresses in, addresses out; nothing is allocated. A string's length
 * is in bytes, without its NUL. May import nothing. Source: ISO C 7.24 (string.h), 7.22.1 (strtol).
 */

/** Bytes before the NUL. */
export function strlen(text: usize): i32 {
  let end = text;
  while (load<u8>(end) != 0) end++;
  return i32(end - text);
}

/** Negative, 0 or positive as `left` sorts before, with or after `right`, by unsigned bytes. */
export function strcmp(left: usize, right: usize): i32 {
  while (load<u8>(left) != 0 && load<u8>(left) == load<u8>(right)) {
    left++;
    right++;
  }
  return i32(load<u8>(left)) - i32(load<u8>(right));
}

/** As strcmp, over at most `limit` bytes. */
export function strncmp(left: usize, right: usize, limit: i32): i32 {
  for (let i = 0; i < limit; i++) {
    const difference = i32(load<u8>(left + i)) - i32(load<u8>(right + i));
    if (difference != 0 || load<u8>(left + i) == 0) return difference;
  }
  return 0;
}

/** Whether the two strings are the same. */
export function streq(left: usize, right: usize): bool {
  return strcmp(left, right) == 0;
}

/** Whether `text` begins with `prefix`. */
export function startsWith(text: usize, prefix: usize): bool {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

/** Copies `source` with its NUL; the address of the NUL written, so that copies can follow one another. */
export function stpcpy(destination: usize, source: usize): usize {
  const bytes = strlen(source);
  memory.copy(destination, source, bytes + 1);
  return destination + bytes;
}

/** Copies `source` cut to fit `capacity` bytes with its NUL (capacity > 0). Whether it fitted whole. */
export function strlcpy(destination: usize, source: usize, capacity: i32): bool {
  const bytes = strlen(source);
  const kept = bytes < capacity ? bytes : capacity - 1;
  memory.copy(destination, source, kept);
  store<u8>(destination + kept, 0);
  return kept == bytes;
}

/** Address of the first `byte` in `text`, 0 when there is none. */
export function strchr(text: usize, byte: u32): usize {
  while (load<u8>(text) != 0) {
    if (u32(load<u8>(text)) == byte) return text;
    text++;
  }
  return 0;
}

/** Address of the first `part` in `text`, 0 when there is none. */
export function strstr(text: usize, part: usize): usize {
  const bytes = strlen(part);
  do {
    if (strncmp(text, part, bytes) == 0) return text;
  } while (load<u8>(text++) != 0);
  return 0;
}

/** Negative, 0 or positive, by the first unsigned byte that differs. */
export function memcmp(left: usize, right: usize, bytes: usize): i32 {
  for (let i: usize = 0; i < bytes; i++) {
    const difference = i32(load<u8>(left + i)) - i32(load<u8>(right + i));
    if (difference != 0) return difference;
  }
  return 0;
}

/** Whether the byte is a decimal digit. */
export function isDigit(byte: u32): bool {
  return byte - 0x30 < 10;
}

/** The decimal number that `text` begins with; 0 when there is none. Wraps modulo 2**32. */
export function parseDec(text: usize): u32 {
  let value: u32 = 0;
  while (isDigit(load<u8>(text))) {
    value = value * 10 + load<u8>(text) - 0x30;
    text++;
  }
  return value;
}

/** The number in lower-case or upper-case hexadecimal digits that `text` begins with; 0 when there is none. */
export function parseHex(text: usize): u32 {
  let value: u32 = 0;
  while (true) {
    const byte: u32 = load<u8>(text);
    const letter = (byte | 0x20) - 0x61;
    if (isDigit(byte)) value = (value << 4) + byte - 0x30;
    else if (letter < 6) value = (value << 4) + letter + 10;
    else return value;
    text++;
  }
}

/** Whether `text` is one or more decimal digits and nothing else. */
export function isNumber(text: usize): bool {
  if (load<u8>(text) == 0) return false;
  while (isDigit(load<u8>(text))) text++;
  return load<u8>(text) == 0;
}
