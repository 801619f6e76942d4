/**
 * Every instruction form of the opcode table as bytes, in 32-bit code, with what it accesses in memory. Where it accesses, how, and
 * with what alignment is iced-x86's word, not ours; so a new row is tested against its faults without anyone remembering to.
 *
 * A memory operand is [EBX], so that every access has a register that moves it: EBX, ESI, EDI, ESP, EBP; but for the
 * offsets of A0 to A3, which stand in the bytes. Accesses with one register and segment are one group.
 */
import {
  Code,
  Decoder,
  DecoderOptions,
  InstructionInfoFactory,
  MemorySize,
  MemorySizeExt,
  OpAccess,
  Register,
  type UsedMemory,
} from "iced-x86";
import { hasModrm, INVALID_ROW, ROWS, type Row, RowFlag } from "../../../cpu/isa";
import { OPERAND_INFO } from "../../../cpu/isa/operands";

/** An access, or several through one register. */
export interface Access {
  /** ES CS SS DS FS GS by number. */
  readonly segment: number;
  /** Register that the address is relative to, or -1: the address is in the bytes, at `Form.offsetAt`. */
  readonly base: number;
  /** First and last byte, relative to it. */
  readonly first: number;
  readonly last: number;
  readonly writes: boolean;
  /** Bytes of which the address must be a multiple under alignment check: volume 3, table 6-7. */
  readonly alignment: number;
}

export interface Form {
  readonly name: string;
  readonly row: Row;
  readonly bytes: readonly number[];
  /** Where the offset of A0 to A3 stands. */
  readonly offsetAt: number;
  readonly accesses: readonly Access[];
  /** iced: CPL 0, or IOPL for the I/O-sensitive. */
  readonly privileged: boolean;
  /** iced's CpuidFeature numbers. */
  readonly features: readonly number[];
}

const OPTIONS =
  DecoderOptions.NoMPFX_0FBC |
  DecoderOptions.NoMPFX_0FBD |
  DecoderOptions.NoPause |
  DecoderOptions.MovTr |
  DecoderOptions.NoWbnoinvd |
  DecoderOptions.ForceReservedNop;
const EBX = 3;
/** Ring 3's code segment in the rig. */
const FAR_SELECTOR = 0x1b;
const SEGMENTS = [Register.ES, Register.CS, Register.SS, Register.DS, Register.FS, Register.GS];

const ALIGNMENTS: Partial<Record<MemorySize, number>> = {
  [MemorySize.SegPtr16]: 2,
  [MemorySize.SegPtr32]: 4,
  [MemorySize.Bound16_WordWord]: 2,
  [MemorySize.Bound32_DwordDword]: 4,
  [MemorySize.Fword6]: 4,
  [MemorySize.Float80]: 8,
  [MemorySize.Bcd]: 8,
  [MemorySize.FpuEnv14]: 2,
  [MemorySize.FpuEnv28]: 4,
  [MemorySize.FpuState94]: 2,
  [MemorySize.FpuState108]: 4,
};

/** What iced makes of bytes; undefined where they are no instruction. */
export function icedDecode(bytes: readonly number[]): ReturnType<Decoder["decode"]> | undefined {
  const decoder = new Decoder(32, Uint8Array.from(bytes), OPTIONS);
  const instruction = decoder.decode();
  decoder.free();
  if (instruction.code !== Code.INVALID) return instruction;
  instruction.free();
  return undefined;
}

function registerNumber(register: Register): number {
  return register === Register.None ? -1 : register - Register.EAX;
}

function accessOf(memory: UsedMemory): Access {
  const first = Number(BigInt.asIntN(32, memory.displacement));
  const bytes = MemorySizeExt.size(memory.memorySize);
  const { access } = memory;
  return {
    segment: SEGMENTS.indexOf(memory.segment),
    base: registerNumber(memory.base),
    first,
    last: first + bytes - 1,
    writes: access !== OpAccess.Read && access !== OpAccess.CondRead,
    alignment: ALIGNMENTS[memory.memorySize] ?? bytes,
  };
}

/** Accesses through one register and segment become one. */
function grouped(all: readonly Access[]): Access[] {
  const groups = new Map<string, Access>();
  for (const access of all) {
    const key = `${access.segment} ${access.base}`;
    const before = groups.get(key);
    if (before === undefined) groups.set(key, access);
    else
      groups.set(key, {
        ...before,
        first: Math.min(before.first, access.first),
        last: Math.max(before.last, access.last),
        writes: before.writes || access.writes,
        alignment: Math.min(before.alignment, access.alignment),
      });
  }
  return [...groups.values()];
}

/**
 * Where processors do less than iced says: PUSH and POP of a segment register take a word whatever the operand size, as far RET
 * does for CS, and ARPL writes only what it raises (in ground.ts it raises nothing).
 */
function asProcessorsDo(row: Row, access: Access): Access {
  if (row.mnemonic === "arpl") return { ...access, writes: false };
  if (row.mnemonic === "retf") return { ...access, last: access.first + (access.last - access.first + 1) / 2 + 1 };
  const segment = /^[C-GS]S$/.test(row.operands[0] ?? "");
  if (!/^(push|pop)$/.test(row.mnemonic) || !segment) return access;
  return { ...access, last: access.first + 1, alignment: 2 };
}

const factory = new InstructionInfoFactory();

/** `repeat` is REP or nothing: iced does not say what a repeated instruction accesses, but its first repetition is as one alone. */
function analyse(
  row: Row,
  repeat: readonly number[],
  bytes: readonly number[],
  offsetAt: number,
  suffix: string,
): Form | undefined {
  const instruction = icedDecode(bytes);
  if (instruction === undefined) return undefined;
  const info = factory.info(instruction);
  const used = (info.usedMemory() as UsedMemory[]).filter(({ access }) => access !== OpAccess.NoMemAccess);
  const accesses = used.filter((memory) => MemorySizeExt.size(memory.memorySize) > 0).map(accessOf);
  const form: Form = {
    name: `${row.mnemonic} ${row.operands.join(" ")}${suffix}`.trim(),
    row,
    bytes: [...repeat, ...bytes.slice(0, instruction.length)],
    offsetAt,
    accesses: grouped(accesses).map((access) => asProcessorsDo(row, access)),
    privileged: instruction.isPrivileged,
    features: [...instruction.cpuidFeatures()],
  };
  info.free();
  instruction.free();
  return form;
}

/** The opcode's bytes. */
export function opcodeBytes(row: Row): number[] {
  return row.opcode > 0xff ? [0x0f, row.opcode & 0xff] : [row.opcode];
}

/** ModRM of a row with this mod and rm: its digit, or a register (segment, control register) that it accepts. */
export function modrmByte(row: Row, mod: number, rm: number): number {
  const reg = row.digit >= 0 ? row.digit : row.operands.includes("Cd") ? 3 : row.operands.includes("Sw") ? 3 : 1;
  return (mod << 6) | (reg << 3) | rm;
}

/** Immediates of zero (no distance, no locals), but a shift by one and a far pointer into FAR_SELECTOR. */
function immediates(row: Row, short: boolean): number[] {
  if (/^(shld|shrd|rol|ror|rcl|rcr|shl|shr|sar)$/.test(row.mnemonic)) return [1];
  const zeros = [0, 0, 0, 0, 0, 0, 0, 0];
  if (row.operands.includes("Ap")) zeros[short ? 2 : 4] = FAR_SELECTOR;
  return zeros;
}

function formsOf(row: Row): Form[] {
  const modrm = hasModrm(row);
  const sized = row.mnemonic !== row.mnemonic16 || row.operands.some((operand) => OPERAND_INFO[operand].size < 0);
  const implicit = /^(push|pop|call|ret|retf|enter|leave|iret)/.test(row.mnemonic);
  const forms: (Form | undefined)[] = [];
  for (const prefix of sized || implicit ? [[], [0x66]] : [[]]) {
    for (const repeat of row.flags & RowFlag.RepAllowed ? [[], [0xf3]] : [[]]) {
      const start = [...prefix, ...opcodeBytes(row)];
      const suffix = `${prefix.length > 0 ? ", 16-bit" : ""}${repeat.length > 0 ? ", rep" : ""}`;
      if (row.rm >= 0 || row.operands.includes("STi")) {
        forms.push(analyse(row, repeat, [...start, modrmByte(row, 3, row.rm >= 0 ? row.rm : 1)], -1, suffix));
      } else if (modrm && !row.operands.includes("Rd")) {
        const rest = immediates(row, prefix.length > 0);
        forms.push(analyse(row, repeat, [...start, modrmByte(row, 0, EBX), ...rest], -1, suffix));
      } else {
        const tail = modrm ? [modrmByte(row, 3, 1)] : [];
        const offsetAt = repeat.length + start.length;
        forms.push(analyse(row, repeat, [...start, ...tail, ...immediates(row, prefix.length > 0)], offsetAt, suffix));
      }
    }
  }
  return forms.filter((form) => form !== undefined);
}

/** Rows of instructions: not of what is none, nor of test registers, which only the older models have (models.test.ts). */
const INSTRUCTIONS = ROWS.filter((row, index) => index !== INVALID_ROW && !row.operands.includes("Td"));

export const FORMS: readonly Form[] = INSTRUCTIONS.flatMap(formsOf);

/** Rows that iced knows no instruction for: there must be none. */
export const UNKNOWN_ROWS: readonly Row[] = INSTRUCTIONS.filter((row) => !FORMS.some((form) => form.row === row));
