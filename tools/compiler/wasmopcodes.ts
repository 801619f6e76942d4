/**
 * The WebAssembly opcodes that the back end knows, and what immediates follow each. Two-byte opcodes are written
 * prefix << 8 | code. Of the 64-bit ones there are only those that the optimiser makes of copying and filling eight bytes:
 * load, store and constant. May import nothing.
 * Source: WebAssembly core specification 2.0, section 5.4, and the threads proposal for 0xFE.
 */

export const enum Opcode {
  Unreachable = 0x00,
  Nop = 0x01,
  Block = 0x02,
  Loop = 0x03,
  If = 0x04,
  Else = 0x05,
  End = 0x0b,
  Br = 0x0c,
  BrIf = 0x0d,
  BrTable = 0x0e,
  Return = 0x0f,
  Call = 0x10,
  CallIndirect = 0x11,
  Drop = 0x1a,
  Select = 0x1b,
  TypedSelect = 0x1c,
  LocalGet = 0x20,
  LocalSet = 0x21,
  LocalTee = 0x22,
  GlobalGet = 0x23,
  GlobalSet = 0x24,
  Load = 0x28,
  WideLoad = 0x29,
  Load8S = 0x2c,
  Load8U = 0x2d,
  Load16S = 0x2e,
  Load16U = 0x2f,
  Store = 0x36,
  WideStore = 0x37,
  Store8 = 0x3a,
  Store16 = 0x3b,
  I32Const = 0x41,
  WideConst = 0x42,
  Eqz = 0x45,
  /** First of the ten comparisons eq, ne, lt_s, lt_u, gt_s, gt_u, le_s, le_u, ge_s, ge_u. */
  Eq = 0x46,
  GeU = 0x4f,
  Clz = 0x67,
  Ctz = 0x68,
  Popcnt = 0x69,
  /** First of add, sub, mul, div_s, div_u, rem_s, rem_u, and, or, xor, shl, shr_s, shr_u, rotl, rotr. */
  Add = 0x6a,
  Rotr = 0x78,
  Extend8S = 0xc0,
  Extend16S = 0xc1,
  MemoryCopy = 0xfc0a,
  MemoryFill = 0xfc0b,
  AtomicFence = 0xfe03,
  AtomicLoad = 0xfe10,
  AtomicLoad8U = 0xfe12,
  AtomicLoad16U = 0xfe13,
  AtomicStore = 0xfe17,
  AtomicStore8 = 0xfe19,
  AtomicStore16 = 0xfe1a,
}

/** The shape of an opcode's immediates. */
export const enum Immediate {
  None,
  Block,
  Index,
  TwoIndices,
  /** Alignment, then offset. */
  Memory,
  Constant,
  /** Of 64 bits: its low and high words. */
  WideConstant,
  Labels,
  Types,
  Unsupported,
}

const SHAPES = new Map<number, Immediate>([
  [Opcode.Block, Immediate.Block],
  [Opcode.Loop, Immediate.Block],
  [Opcode.If, Immediate.Block],
  [Opcode.Br, Immediate.Index],
  [Opcode.BrIf, Immediate.Index],
  [Opcode.BrTable, Immediate.Labels],
  [Opcode.Call, Immediate.Index],
  [Opcode.CallIndirect, Immediate.TwoIndices],
  [Opcode.TypedSelect, Immediate.Types],
  [Opcode.LocalGet, Immediate.Index],
  [Opcode.LocalSet, Immediate.Index],
  [Opcode.LocalTee, Immediate.Index],
  [Opcode.GlobalGet, Immediate.Index],
  [Opcode.GlobalSet, Immediate.Index],
  [Opcode.I32Const, Immediate.Constant],
  [Opcode.WideConst, Immediate.WideConstant],
  [Opcode.MemoryCopy, Immediate.TwoIndices],
  [Opcode.MemoryFill, Immediate.Index],
  [Opcode.AtomicFence, Immediate.Index],
]);

for (const opcode of [
  Opcode.Unreachable,
  Opcode.Nop,
  Opcode.Else,
  Opcode.End,
  Opcode.Return,
  Opcode.Drop,
  Opcode.Select,
]) {
  SHAPES.set(opcode, Immediate.None);
}
for (const opcode of [
  ...[
    Opcode.Load,
    Opcode.Load8S,
    Opcode.Load8U,
    Opcode.Load16S,
    Opcode.Load16U,
    Opcode.Store,
    Opcode.Store8,
    Opcode.Store16,
  ],
  ...[Opcode.WideLoad, Opcode.WideStore, Opcode.AtomicLoad, Opcode.AtomicLoad8U, Opcode.AtomicLoad16U],
  ...[Opcode.AtomicStore, Opcode.AtomicStore8, Opcode.AtomicStore16],
]) {
  SHAPES.set(opcode, Immediate.Memory);
}
for (let opcode: number = Opcode.Eqz; opcode <= Opcode.GeU; opcode++) SHAPES.set(opcode, Immediate.None);
for (let opcode: number = Opcode.Clz; opcode <= Opcode.Rotr; opcode++) SHAPES.set(opcode, Immediate.None);
SHAPES.set(Opcode.Extend8S, Immediate.None);
SHAPES.set(Opcode.Extend16S, Immediate.None);

/** What follows an opcode; Unsupported for all that the back end does not compile. */
export function immediateOf(opcode: number): Immediate {
  return SHAPES.get(opcode) ?? Immediate.Unsupported;
}

/** A name for a message about an opcode that is not supported. */
export function describeOpcode(opcode: number): string {
  if (opcode === 0x3f) return "memory.size";
  if (opcode === 0x40) return "memory.grow";
  if ((opcode >= 0x50 && opcode <= 0x5a) || (opcode >= 0x79 && opcode <= 0x8a)) return "64-bit arithmetic (i64)";
  if ((opcode >= 0x30 && opcode <= 0x35) || (opcode >= 0x3c && opcode <= 0x3e)) return "a 64-bit value (i64)";
  if (opcode === 0xa7 || opcode === 0xac || opcode === 0xad) return "a 64-bit conversion (i64)";
  if (opcode === 0x2a || opcode === 0x2b || opcode === 0x43 || opcode === 0x44 || (opcode >= 0x5b && opcode <= 0xbf)) {
    return "floating point (f32, f64)";
  }
  if (opcode >> 8 === 0xfe) return "an atomic operation other than load and store";
  return `wasm opcode 0x${opcode.toString(16)}`;
}
