/**
 * A decoded instruction: what decoder.ts makes of bytes and what exec/, the disassembler and the trace read.
 * It holds operands resolved as far as they can be without CPU state: register numbers, displacement, immediates.
 * All numeric fields are int32 and always present, so that every Instruction has one hidden class. May import isa.ts only.
 * Source: Intel SDM volume 2, chapter 2 (instruction format).
 */

/** Prefix bits, as found before the opcode. */
export const enum Prefix {
  Lock = 1,
  Repne = 2,
  Rep = 4,
}

/** Segment registers, in the encoding of the Sreg field. */
export const enum Segment {
  ES = 0,
  CS = 1,
  SS = 2,
  DS = 3,
  FS = 4,
  GS = 5,
}

/**
 * Register number that always reads as zero: a missing base or index. The register file has nine words,
 * EAX ECX EDX EBX ESP EBP ESI EDI and a zero, so that an effective address needs no branch:
 * `r[base] + (r[index] << scale) + displacement` (and `& 0xffff` for 16-bit addressing).
 */
export const NO_REGISTER = 8;

export class Instruction {
  /** Index into isa.ts's ROWS. */
  row = 0;
  /** Bytes in memory, prefixes included: 1 to 15. */
  length = 0;
  /** Operand size in bytes for v operands: 2 or 4. */
  operandSize = 4;
  /** Address size in bytes: 2 or 4. */
  addressSize = 4;
  /** Prefix bits. */
  prefixes = 0;
  /** ModRM.reg, or the register in the opcode's low three bits; 0 to 7. */
  reg = 0;
  /** ModRM.rm when it names a register (mod = 3), else -1: the operand is memory. */
  rm = -1;
  /** Segment of the memory operand: the override, else SS for (E)BP/(E)SP bases, else DS. */
  segment: number = Segment.DS;
  /** 1 when a segment-override prefix chose `segment` (string instructions, XLAT and MOV moffs look at it). */
  segmentOverride = 0;
  base = NO_REGISTER;
  index = NO_REGISTER;
  /** Left shift of the index: 0 to 3. */
  scale = 0;
  displacement = 0;
  /** The immediate, sign-extended as the form says; the relative distance of a jump; the offset of a far pointer. */
  immediate = 0;
  /** The second immediate: ENTER's level, the selector of a far pointer; of an x87 instruction its 11-bit opcode (FOP). */
  immediate2 = 0;
}
