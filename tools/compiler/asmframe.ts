/**
 * Frame rules of assembly, by following its control flow: how far ESP is below the CFA at each instruction, and what has been pushed where.
 * May import cpu/ (decoder, isa), frames, object.
 *
 * Global labels are entered by calls, unless a table says otherwise. Code that nothing is seen to lead to (a fixup) is taken to run with the
 * frame of the code it jumps to, or returns from. MOV to ESP is taken to lead to a stack of the same shape: a switch.
 */
import { DecodeResult, decode } from "../../cpu/decoder";
import { Instruction } from "../../cpu/instruction";
import { ROWS } from "../../cpu/isa";
import type { FrameEntry, FrameRecord, FrameRule } from "./frames";
import { Register } from "./mir";
import type { ObjectFile } from "./object";

/** How the code at a label is entered. */
export interface AssemblyEntry {
  label: string;
  entry: FrameEntry;
  /** Bytes from ESP to the CFA there; absent: it follows from the code before. */
  bytes?: number;
  /** The label begins a row of entries so many bytes apart. */
  every?: number;
}

/** ESP's distance from the CFA, and the distances at which registers are saved. */
interface State {
  depth: number;
  saved: ReadonlyMap<number, number>;
}

interface Decoded {
  at: number;
  end: number;
  mnemonic: string;
  register: number;
  immediate: number;
  target: number;
}

const RETURN_ADDRESS = 4;
const WORD = 4;
/** What a call keeps; a trap's entry saves every register. */
const CALL_SAVES = new Set<number>([Register.EBX, Register.ESI, Register.EDI, Register.EBP]);
const ENDS = new Set(["ret", "iretd", "iret", "jmp", "retf", "ud2"]);
const insn = new Instruction();

/** The frames of an assembled object's text. */
export function assemblyFrames(object: ObjectFile, entries: readonly AssemblyEntry[]): FrameRecord[] {
  const text = object.sections.find(({ name }) => name === ".text");
  if (text === undefined) return [];
  const code = decodeAll(text.bytes);
  const regions = regionsOf(object, entries, text.size);
  const states = flow(code, regions);
  return regions.map(({ offset, size, entry }) => {
    const rules: FrameRule[] = [];
    let known: State = { depth: RETURN_ADDRESS, saved: new Map() };
    for (const { at } of code) {
      const state = states.get(at);
      if (at < offset || at >= offset + size || state === undefined) continue;
      if (state.depth !== known.depth) rules.push({ at, kind: "cfa", register: Register.ESP, offset: state.depth });
      for (const [register, distance] of state.saved) {
        if (known.saved.get(register) !== distance) rules.push({ at, kind: "saved", register, offset: distance });
      }
      for (const register of known.saved.keys()) {
        if (!state.saved.has(register)) rules.push({ at, kind: "restored", register });
      }
      known = state;
    }
    return { offset, size, entry, rules };
  });
}

interface Region extends AssemblyEntry {
  offset: number;
  size: number;
}

/** Stretches of text from one global label, or label of the table, to the next. */
function regionsOf(object: ObjectFile, entries: readonly AssemblyEntry[], size: number): Region[] {
  const starts: Omit<Region, "size">[] = [];
  for (const { name, section, offset, global } of object.symbols) {
    if (section !== ".text") continue;
    const known = entries.find(({ label }) => label === name);
    if (known) starts.push({ ...known, offset });
    else if (global) starts.push({ label: name, entry: "call", bytes: RETURN_ADDRESS, offset });
  }
  starts.sort((a, b) => a.offset - b.offset);
  return starts.map((one, i) => ({ ...one, size: (starts[i + 1]?.offset ?? size) - one.offset }));
}

function decodeAll(bytes: Uint8Array): Decoded[] {
  const code: Decoded[] = [];
  for (let at = 0; at < bytes.length; ) {
    const result = decode(bytes, at, bytes.length - at, 4, insn);
    const length = result === DecodeResult.Ok ? insn.length : 1;
    const row = result === DecodeResult.Ok ? ROWS[insn.row] : undefined;
    const mnemonic = row?.mnemonic ?? "";
    const isJump = row?.operands.some((operand) => operand === "Jb" || operand === "Jv");
    const byOpcode = row?.operands[0] === "Zv";
    const isMemory = !byOpcode && insn.rm < 0;
    const register = byOpcode ? insn.reg : isMemory ? -1 : insn.rm;
    const target = isJump && mnemonic !== "call" ? at + length + insn.immediate : -1;
    code.push({
      at,
      end: at + length,
      mnemonic,
      register: namesRegister(row?.operands[0]) ? register : -1,
      immediate: insn.immediate,
      target,
    });
    at += length;
  }
  return code;
}

function namesRegister(operand: string | undefined): boolean {
  return operand === "Zv" || operand === "Ev";
}

/** The state before each instruction that control is seen to reach. */
function flow(code: readonly Decoded[], regions: readonly Region[]): Map<number, State> {
  const byAddress = new Map(code.map((one) => [one.at, one]));
  const regionAt = (at: number) => regions.findLast(({ offset }) => offset <= at);
  const states = new Map<number, State>();
  const follow = (start: number, first: State): void => {
    const work: [number, State][] = [[start, first]];
    for (let item = work.pop(); item !== undefined; item = work.pop()) {
      const [at, state] = item;
      const one = byAddress.get(at);
      if (one === undefined || states.has(at)) continue;
      states.set(at, state);
      const after = step(one, state, regionAt(at)?.entry === "trap");
      if (one.target >= 0) work.push([one.target, after]);
      if (!ENDS.has(one.mnemonic)) work.push([one.end, after]);
    }
  };
  for (const { offset, size, bytes, every } of regions) {
    if (bytes === undefined) continue;
    for (let at = offset; at < offset + size; at += every ?? size) follow(at, { depth: bytes, saved: new Map() });
  }
  for (const one of code) if (!states.has(one.at)) inferBlock(one, byAddress, states, follow);
  return states;
}

/** The state of a block that nothing leads to, from where it jumps to or from its return. */
function inferBlock(
  first: Decoded,
  byAddress: ReadonlyMap<number, Decoded>,
  states: ReadonlyMap<number, State>,
  follow: (start: number, state: State) => void,
): void {
  let net = 0;
  const popped: [number, number][] = [];
  for (let one: Decoded | undefined = first; one !== undefined; one = byAddress.get(one.end)) {
    const known = one.target >= 0 ? states.get(one.target) : undefined;
    if (known !== undefined) follow(first.at, { depth: known.depth - net, saved: known.saved });
    else if (one.mnemonic === "ret") {
      const depth = RETURN_ADDRESS - net;
      follow(first.at, { depth, saved: new Map(popped.map(([register, before]) => [register, depth + before])) });
    }
    if (known !== undefined || ENDS.has(one.mnemonic)) return;
    if (one.mnemonic === "pop") popped.push([one.register, net]);
    net += change(one);
  }
}

/** By how much an instruction moves ESP away from the CFA. */
function change({ mnemonic, register, immediate }: Decoded): number {
  if (mnemonic === "push" || mnemonic === "pushf") return WORD;
  if (mnemonic === "pop" || mnemonic === "popf") return -WORD;
  if (register !== Register.ESP) return 0;
  if (mnemonic === "add") return -immediate;
  return mnemonic === "sub" ? immediate : 0;
}

function step(one: Decoded, state: State, savesAll: boolean): State {
  const depth = state.depth + change(one);
  const saved = new Map(state.saved);
  const { mnemonic, register } = one;
  if (mnemonic === "push" && register >= 0 && !saved.has(register) && (savesAll || CALL_SAVES.has(register))) {
    saved.set(register, depth);
  }
  if (mnemonic === "pop" && saved.get(register) === state.depth) saved.delete(register);
  return { depth, saved };
}
