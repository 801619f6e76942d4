/**
 * System calls in strace's words: names, arguments with strings and paths read from the program's memory, results with the names
 * of errors. May import cpu's public face, kernel/abi, syscalltable. Source: Linux i386's table of system calls; strace(1) for the form.
 */
import type { Machine } from "../../cpu/index";
import { MAX_ERRNO } from "../../kernel/abi/errno";
import { ERRORS, FLAGS, type FlagNames, SIGNALS, SIGNATURES } from "./syscalltable";

/** Bytes of a string that are shown. */
const SHOWN_BYTES = 32;
const SHOWN_STRINGS = 8;
const MMAP_ARGUMENTS = ["ptr", "uint", "prot", "map", "fd", "hex"];

/** Registers that hold a call's arguments, in order, as numbers of general registers: EBX ECX EDX ESI EDI EBP. */
export const ARGUMENT_REGISTERS = [3, 1, 2, 6, 7, 5] as const;

/** Whether a result is an error: -4095 to -1. */
export function isError(result: number): boolean {
  return result < 0 && result >= -Number(MAX_ERRNO);
}

interface Signature {
  name: string;
  /** Form of each argument, and the number of the argument that says how many bytes. */
  forms: readonly { form: string; length: number }[];
  result: string;
}

/** SIGNATURES, taken apart once. */
const parsed = new Map<number, Signature>();

function signatureOf(number: number): Signature {
  let signature = parsed.get(number);
  if (signature === undefined) {
    const [name, ...words] = (SIGNATURES[number] ?? `syscall_${number} hex hex hex`).split(" ");
    const forms = words
      .filter((word) => !word.startsWith("="))
      .map((word) => {
        const [form, length] = word.split(":");
        return { form, length: Number(length ?? -1) };
      });
    const result = words.find((word) => word.startsWith("="))?.slice(1) ?? "int";
    signature = { name, forms, result };
    parsed.set(number, signature);
  }
  return signature;
}

/** A system call's name: "syscall_99" for one that this table does not know. */
export function syscallName(number: number): string {
  return signatureOf(number).name;
}

/** The arguments of a call as it is made, in words. `args` are its six registers; memory is the running process's. */
export function argumentTexts(machine: Machine, number: number, args: readonly number[]): string[] {
  const { forms } = signatureOf(number);
  if (forms[0]?.form === "old") {
    const bytes = machine.readVirtual(args[0], 24);
    if (bytes.length < 24) return [numberText("ptr", args[0])];
    const view = new DataView(bytes.buffer, bytes.byteOffset, 24);
    return MMAP_ARGUMENTS.map((form, i) => numberText(form, view.getUint32(4 * i, true)));
  }
  return forms.map(({ form, length }, i) => argumentText(machine, form, args[i] >>> 0, args[length] >>> 0));
}

/** The call as it is made, with the arguments in words. */
export function callText(number: number, texts: readonly string[]): string {
  return `${syscallName(number)}(${texts.join(", ")})`;
}

/** The call with what it has filled in, and its result (EAX, signed). `texts` are its arguments in words as it was made. */
export function resultText(
  machine: Machine,
  number: number,
  args: readonly number[],
  texts: readonly string[],
  result: number,
): string {
  const { forms, result: form } = signatureOf(number);
  const done = isError(result)
    ? texts
    : texts.map((text, i) => filledIn(machine, forms[i]?.form ?? "", args[i] >>> 0, result) ?? text);
  const call = callText(number, done);
  if (isError(result)) return `${call} = -1 ${errorName(-result)}`;
  return `${call} = ${form === "int" ? result : numberText(form, result >>> 0)}`;
}

function errorName(number: number): string {
  return ERRORS[number] ?? `errno ${number}`;
}

/** A wait status in words: "exited 3", "killed by SIGSEGV". */
export function statusText(status: number): string {
  const signal = status & 0x7f;
  return signal === 0 ? `exited ${(status >>> 8) & 0xff}` : `killed by ${SIGNALS[signal] ?? `signal ${signal}`}`;
}

/** `length` is the argument that says how many bytes there are. */
function argumentText(machine: Machine, form: string, value: number, length: number): string {
  if (form === "path") return stringAt(machine, value);
  if (form === "buf") return bytesAt(machine, value, length);
  if (form === "argv") return vectorAt(machine, value);
  return numberText(OUTPUTS.has(form) ? "ptr" : form, value);
}

/** Arguments that the call fills in. */
const OUTPUTS: ReadonlySet<string> = new Set(["out", "status", "pair"]);

/** What the call that came to `result` has filled in at an argument, in words; undefined where it fills in nothing. */
function filledIn(machine: Machine, form: string, value: number, result: number): string | undefined {
  if (!OUTPUTS.has(form) || value === 0) return undefined;
  if (form === "out") return bytesAt(machine, value, result);
  const words = wordsAt(machine, value, form === "pair" ? 2 : 1);
  if (words.length === 0 || (form === "status" && result === 0)) return undefined;
  return form === "pair" ? `[${words.join(", ")}]` : `[${statusText(words[0])}]`;
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

function wordsAt(machine: Machine, address: number, count: number): number[] {
  const bytes = machine.readVirtual(address, 4 * count);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length >> 2 }, (_, i) => view.getUint32(4 * i, true));
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

function bytesAt(machine: Machine, address: number, length: number): string {
  const shown = machine.readVirtual(address, Math.min(length, SHOWN_BYTES));
  if (shown.length === 0 && length > 0) return numberText("ptr", address);
  return quoted(shown) + (length > SHOWN_BYTES ? "..." : "");
}

/** The whole of a NUL-terminated string, of at most `most` bytes; undefined where there is no memory. */
export function readString(machine: Machine, address: number, most: number): string | undefined {
  const bytes = machine.readVirtual(address, most);
  if (bytes.length === 0) return undefined;
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString("latin1");
}

/** Longest path. */
export const PATH_BYTES = 4096;

function stringAt(machine: Machine, address: number): string {
  if (address === 0) return "NULL";
  const text = readString(machine, address, PATH_BYTES);
  if (text === undefined) return numberText("ptr", address);
  return quoted(Buffer.from(text, "latin1"));
}

function vectorAt(machine: Machine, address: number): string {
  if (address === 0) return "NULL";
  const pointers = wordsAt(machine, address, SHOWN_STRINGS + 1);
  const end = pointers.indexOf(0);
  const shown = (end < 0 ? pointers : pointers.slice(0, end)).slice(0, SHOWN_STRINGS);
  const more = end < 0 ? ", ..." : "";
  return `[${shown.map((pointer) => stringAt(machine, pointer)).join(", ")}${more}]`;
}
