/**
 * Scan codes: the table by which the 8042 turns set 2 into set 1, its inverse, and the keys that a US keyboard has for text. May
 * import nothing. Codes of set 1 are those that the machine's host gives: make codes, break codes with bit 7, E0 and E1 before.
 * Source: IBM PC/AT technical reference (keyboard, scan codes); Microsoft Keyboard Scan Code Specification, appendix A
 * (the 8042's translation).
 */

// One row for each 16 codes of set 2.
const TRANSLATION = [
  "ff43413f3d3b3c58644442403e0f2959",
  "65382a701d10025a66712c1f1e11035b",
  "672e2d201205045c68392f211413065d",
  "693130232215075e6a7232241608095f",
  "6b332517180b0a606c34352627190c61",
  "6d7328741a0d626e3a361c1b752b6376",
  "55567778797a0e7b7c4f7d4b477e7f6f",
  "5253504c4d480145574e514a37494654",
].join("");

/** Set 2 to set 1, for all bytes: those from 0x80 on stay, but for two keys. */
export const SET2_TO_SET1 = Uint8Array.from({ length: 256 }, (_, code) => {
  if (code === 0x83) return 0x41;
  if (code === 0x84) return 0x54;
  return code < 0x80 ? Number.parseInt(TRANSLATION.slice(2 * code, 2 * code + 2), 16) : code;
});

/** Set 1 make codes to set 2. Of two codes of set 2 that the 8042 makes one, keys have the later. */
export const SET1_TO_SET2 = new Uint8Array(128);
for (const [code, made] of SET2_TO_SET1.entries()) if (made < 0x80) SET1_TO_SET2[made] = code;

export const EXTENDED = 0xe0;
export const PAUSE = 0xe1;
export const BREAK = 0x80;
/** Set 2 has a byte before the code of a key that is released. */
export const BREAK_PREFIX = 0xf0;

const SHIFT = 0x2a;
const CONTROL = 0x1d;

/** Runs of neighbouring keys: first make code, the characters without and with Shift. */
const ROWS: readonly (readonly [number, string, string])[] = [
  [0x02, "1234567890-=", "!@#$%^&*()_+"],
  [0x10, "qwertyuiop[]", "QWERTYUIOP{}"],
  [0x1e, "asdfghjkl;'`", 'ASDFGHJKL:"~'],
  [0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?"],
  [0x39, " ", ""],
];
const NAMED: Readonly<Record<string, number>> = {
  "\x1b": 0x01,
  "\b": 0x0e,
  "\x7f": 0x0e,
  "\t": 0x0f,
  "\r": 0x1c,
  "\n": 0x1c,
};

interface Key {
  code: number;
  /** The key held down meanwhile; 0: none. */
  with: number;
}

const KEYS = new Map<string, Key>();
for (const [first, plain, shifted] of ROWS) {
  for (const [i, character] of [...plain].entries()) KEYS.set(character, { code: first + i, with: 0 });
  for (const [i, character] of [...shifted].entries()) KEYS.set(character, { code: first + i, with: SHIFT });
}
for (let letter = 1; letter <= 26; letter++) {
  const key = KEYS.get(String.fromCharCode(96 + letter)) as Key;
  KEYS.set(String.fromCharCode(letter), { code: key.code, with: CONTROL });
}
for (const [character, code] of Object.entries(NAMED)) KEYS.set(character, { code, with: 0 });

/** The keys pressed and released to type a text on a US keyboard, as set 1. Characters that it lacks are left out. */
export function scanCodesOf(text: string): Uint8Array {
  const codes: number[] = [];
  for (const character of text) {
    const key = KEYS.get(character);
    if (key === undefined) continue;
    const held = key.with === 0 ? [] : [key.with];
    codes.push(...held, key.code, key.code | BREAK, ...held.map((code) => code | BREAK));
  }
  return Uint8Array.from(codes);
}
