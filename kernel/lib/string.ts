/**
 * NUL-terminated byte strings in kernel memory. Nothing here may be given a user address. Imports nothing.
 * Source: the C library's functions of the like names.
 */

/** Bytes before the NUL. */
export function stringLength(text: usize): u32 {
  let end = text;
  while (load<u8>(end) != 0) end++;
  return end - text;
}

/** Whether `bytes` bytes at `text` are the whole of the string `name`. */
export function spanEquals(text: usize, bytes: u32, name: usize): bool {
  for (let i: u32 = 0; i < bytes; i++) {
    const c = load<u8>(name + i);
    if (c == 0 || c != load<u8>(text + i)) return false;
  }
  return load<u8>(name + bytes) == 0;
}

/** Copies a string with its NUL, which the destination must have room for. Returns its length without the NUL. */
export function stringCopy(destination: usize, source: usize): u32 {
  const bytes = stringLength(source);
  memory.copy(destination, source, bytes + 1);
  return bytes;
}

/** The value of a span of decimal digits, or -1 if it is empty, has another byte, or exceeds nine digits. */
export function parseDecimal(text: usize, bytes: u32): i32 {
  if (bytes == 0 || bytes > 9) return -1;
  let value: i32 = 0;
  for (let i: u32 = 0; i < bytes; i++) {
    const digit = u32(load<u8>(text + i)) - 0x30;
    if (digit > 9) return -1;
    value = value * 10 + i32(digit);
  }
  return value;
}
