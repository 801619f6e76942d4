/**
 * From what a terminal sends for keys to what the guest's keyboard does: scan codes of set 1. May import cpu/.
 * A terminal tells characters, not keys: what it cannot say (Alt alone, releases, F11 on some) cannot be typed. A lone Escape is
 * told from the beginning of a sequence by what came with it.
 * Source: ECMA-48 (CSI sequences); xterm control sequences, "PC-style function keys".
 */
import { scanCodesOf } from "../../cpu/index";

const EXTENDED = 0xe0;
const BREAK = 0x80;
const ALT = 0x38;
const ESCAPE = "\x1b";

/** Sequences behind Escape, and the key: above 0xff with the E0 prefix. */
const SEQUENCES: readonly (readonly [string, number])[] = [
  ["[A", 0xe048],
  ["[B", 0xe050],
  ["[C", 0xe04d],
  ["[D", 0xe04b],
  ["[H", 0xe047],
  ["[F", 0xe04f],
  ["[1~", 0xe047],
  ["[2~", 0xe052],
  ["[3~", 0xe053],
  ["[4~", 0xe04f],
  ["[5~", 0xe049],
  ["[6~", 0xe051],
  ["OA", 0xe048],
  ["OB", 0xe050],
  ["OC", 0xe04d],
  ["OD", 0xe04b],
  ["OP", 0x3b],
  ["OQ", 0x3c],
  ["OR", 0x3d],
  ["OS", 0x3e],
  ["[15~", 0x3f],
  ["[17~", 0x40],
  ["[18~", 0x41],
  ["[19~", 0x42],
  ["[20~", 0x43],
  ["[21~", 0x44],
  ["[23~", 0x57],
  ["[24~", 0x58],
];

function pressed(key: number): number[] {
  const prefix = key > 0xff ? [EXTENDED] : [];
  return [...prefix, key & 0xff, ...prefix, (key & 0xff) | BREAK];
}

/** Scan codes for bytes of a terminal that came together. Escape before a character is Alt with it. */
export function keysOfTerminal(typed: Uint8Array): Uint8Array {
  const text = Buffer.from(typed).toString("utf8");
  const codes: number[] = [];
  let at = 0;
  while (at < text.length) {
    const sequence = text[at] === ESCAPE ? SEQUENCES.find(([form]) => text.startsWith(form, at + 1)) : undefined;
    const next = text[at + 1];
    if (sequence !== undefined) {
      codes.push(...pressed(sequence[1]));
      at += 1 + sequence[0].length;
    } else if (text[at] === ESCAPE && next !== undefined && next !== ESCAPE) {
      codes.push(ALT, ...scanCodesOf(next), ALT | BREAK);
      at += 2;
    } else codes.push(...scanCodesOf(text[at++]));
  }
  return Uint8Array.from(codes);
}
