/**
 * System calls in strace's words: names, arguments with strings and paths from what was saved of the program's memory, results with the names
 * of errors. May import kernel/abi, callmemory, syscalltable. Source: Linux i386's table of system calls; strace(1) for the form.
 *
 * Invariant: pieces of memory are taken in the order in which callmemory.ts saves them.
 */
import { isError, type Pieces, SHOWN_BYTES, SHOWN_STRINGS } from "./callmemory";
import { ArgumentMemory, ERRORS, FLAGS, type FlagNames, SIGNALS, signatureOf } from "./syscalltable";

const MMAP_ARGUMENTS = ["ptr", "uint", "prot", "map", "fd", "hex"];

/** A system call's name: "syscall_99" for one that this table does not know. */
export function syscallName(number: number): string {
  return signatureOf(number).name;
}

/** The arguments of a call as it is made, in words. `args` are its six registers; `pieces` what saveArguments kept. */
export function argumentTexts(pieces: Pieces, number: number, args: readonly number[]): string[] {
  const { forms, inMemory } = signatureOf(number);
  if (inMemory) {
    const words = wordsOf(pieces.next());
    if (words.length < MMAP_ARGUMENTS.length) return [numberText("ptr", args[0])];
    return MMAP_ARGUMENTS.map((form, i) => numberText(form, words[i]));
  }
  return forms.map(({ form, length, memory }, i) => {
    const value = args[i] >>> 0;
    switch (memory) {
      case ArgumentMemory.String:
        return stringText(pieces, value);
      case ArgumentMemory.Bytes:
        return bytesText(pieces, value, args[length] >>> 0);
      case ArgumentMemory.Strings:
        return stringsText(pieces, value);
      case ArgumentMemory.None:
        return numberText(form, value);
      default:
        return numberText("ptr", value);
    }
  });
}

/** The call as it is made, with the arguments in words. */
export function callText(number: number, texts: readonly string[]): string {
  return `${syscallName(number)}(${texts.join(", ")})`;
}

/**
 * The call with what it has filled in, and its result (EAX, signed). `texts` are its arguments in words as it was made, `pieces` what
 * saveResults kept.
 */
export function resultText(
  pieces: Pieces,
  number: number,
  args: readonly number[],
  texts: readonly string[],
  result: number,
): string {
  const { forms, result: form } = signatureOf(number);
  if (isError(result)) return `${callText(number, texts)} = -1 ${errorName(-result)}`;
  const done = texts.map((text, i) => filledIn(pieces, forms[i]?.memory, args[i] >>> 0, result) ?? text);
  return `${callText(number, done)} = ${form === "int" ? result : numberText(form, result >>> 0)}`;
}

function errorName(number: number): string {
  return ERRORS[number] ?? `errno ${number}`;
}

/** A wait status in words: "exited 3", "killed by SIGSEGV". */
export function statusText(status: number): string {
  const signal = status & 0x7f;
  return signal === 0 ? `exited ${(status >>> 8) & 0xff}` : `killed by ${SIGNALS[signal] ?? `signal ${signal}`}`;
}

/** What the call that came to `result` has filled in at an argument, in words; undefined where it fills in nothing. */
function filledIn(
  pieces: Pieces,
  memory: ArgumentMemory | undefined,
  value: number,
  result: number,
): string | undefined {
  if (value === 0) return undefined;
  switch (memory) {
    case ArgumentMemory.Filled:
      return bytesText(pieces, value, result);
    case ArgumentMemory.Pair: {
      const words = wordsOf(pieces.next());
      return words.length === 0 ? undefined : `[${words.join(", ")}]`;
    }
    case ArgumentMemory.Status: {
      const words = wordsOf(pieces.next());
      return words.length === 0 || result === 0 ? undefined : `[${statusText(words[0])}]`;
    }
    default:
      return undefined;
  }
}

function numberText(form: string, value: number): string {
  switch (form) {
    case "uint":
      return String(value);
    case "hex":
      return value === 0 ? "0" : `0x${value.toString(16)}`;
    case "ptr":
      return value === 0 ? "NULL" : `0x${value.toString(16)}`;
    case "octal":
      return value === 0 ? "0" : `0${value.toString(8)}`;
    case "sig":
      return SIGNALS[value] ?? String(value | 0);
    case "int":
    case "fd":
      return String(value | 0);
    default:
      return form === "clone" ? cloneText(value) : flagsText(FLAGS[form], value);
  }
}

function flagsText({ zero, choice, bits }: FlagNames, value: number): string {
  if (value === 0) return zero;
  const names: string[] = [];
  let left = value;
  if (choice !== undefined) {
    const name = choice.names[value & choice.mask];
    if (name !== undefined) {
      names.push(name);
      left = (left & ~choice.mask) >>> 0;
    }
  }
  for (const [bit, name] of bits) {
    if ((left & bit) === 0) continue;
    names.push(name);
    left = (left & ~bit) >>> 0;
  }
  if (left !== 0) names.push(`0x${left.toString(16)}`);
  return names.join("|");
}

/** clone's low byte is the signal of the child's end. */
function cloneText(value: number): string {
  const signal = value & 0xff;
  const flags = (value & ~0xff) >>> 0;
  const parts = [
    flags === 0 ? "" : flagsText(FLAGS.clone, flags),
    signal === 0 ? "" : (SIGNALS[signal] ?? `${signal}`),
  ];
  return parts.filter((part) => part !== "").join("|") || "0";
}

function wordsOf(bytes: Uint8Array | undefined): number[] {
  const words: number[] = [];
  if (bytes === undefined) return words;
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    words.push((bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0);
  }
  return words;
}

const ESCAPES: Readonly<Record<number, string>> = { 9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 92: "\\\\" };

/** Bytes in double quotes, as C writes them; others than ASCII's in octal. */
function quoted(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    text += ESCAPES[byte] ?? (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\${byte.toString(8)}`);
  }
  return `"${text}"`;
}

function bytesText(pieces: Pieces, address: number, length: number): string {
  const shown = pieces.next();
  if (shown === undefined) return numberText("ptr", address);
  return quoted(shown) + (length > SHOWN_BYTES ? "..." : "");
}

function stringText(pieces: Pieces, address: number): string {
  if (address === 0) return "NULL";
  const bytes = pieces.next();
  return bytes === undefined ? numberText("ptr", address) : quoted(bytes);
}

function stringsText(pieces: Pieces, address: number): string {
  if (address === 0) return "NULL";
  const pointers = wordsOf(pieces.next());
  const end = pointers.indexOf(0);
  const shown = (end < 0 ? pointers : pointers.slice(0, end)).slice(0, SHOWN_STRINGS);
  const more = end < 0 ? ", ..." : "";
  return `[${shown.map((pointer) => stringText(pieces, pointer)).join(", ")}${more}]`;
}
