/**
 * The disassembler that tests compare with: iced-x86, over records of 16 bytes in one buffer.
 * Where it knows more processors than we are, or reads the manual otherwise, the difference is named here, once.
 */
import { Code, Decoder, DecoderOptions, Formatter, FormatterSyntax, Instruction, Mnemonic } from "iced-x86";

/** Bytes of a record: one more than an instruction can have. */
export const RECORD = 16;

/** Our name -> iced's, where they differ. */
const ICED_NAME: Record<string, string> = {
  jz: "je",
  jnz: "jne",
  setz: "sete",
  setnz: "setne",
  cmovz: "cmove",
  cmovnz: "cmovne",
  fwait: "wait",
  pushaw: "pusha",
  popaw: "popa",
  pushfw: "pushf",
  popfw: "popf",
  iretw: "iret",
};

/** iced's names for encodings that do what another does: shift /6 and the hints that are NOPs. */
const SAME_NAME: Record<string, string> = { sal: "shl", reservednop: "nop" };

/**
 * LZCNT, TZCNT, PAUSE and WBNOINVD are BSR, BSF, NOP and WBINVD with a REP prefix that older processors ignore; what newer
 * ones have made of 0F 18 to 0F 1F are NOPs.
 */
const OPTIONS =
  DecoderOptions.NoMPFX_0FBC |
  DecoderOptions.NoMPFX_0FBD |
  DecoderOptions.NoPause |
  DecoderOptions.MovTr |
  DecoderOptions.NoWbnoinvd |
  DecoderOptions.ForceReservedNop;

export class Oracle {
  private readonly decoder: Decoder;
  readonly instruction = new Instruction();
  private readonly formatters = new Map<FormatterSyntax, Formatter>();

  /** `defaultSize` 2 or 4; `records` holds RECORD bytes for each instruction. */
  constructor(defaultSize: 2 | 4, records: Uint8Array) {
    this.decoder = new Decoder(defaultSize * 8, records, OPTIONS);
  }

  /** Decodes record `index` at address `ip`. */
  decode(index: number, ip = 0): void {
    this.decoder.position = index * RECORD;
    this.decoder.ip = BigInt(ip);
    this.decoder.decodeOut(this.instruction);
  }

  get valid(): boolean {
    return this.instruction.code !== Code.INVALID;
  }

  get length(): number {
    return this.instruction.length;
  }

  /** In lower case, and by one name where the manual has two. */
  get mnemonic(): string {
    const name = Mnemonic[this.instruction.mnemonic].toLowerCase();
    return SAME_NAME[name] ?? name;
  }

  /** The name of the exact form, as "Mov_r32_rm32". */
  get form(): string {
    return Code[this.instruction.code];
  }

  /** The processors or extensions that have this form, by iced's CpuidFeature. */
  get features(): number[] {
    return [...this.instruction.cpuidFeatures()];
  }

  /** Intel (in NASM's or MASM's dress) or GNU text. */
  format(syntax: FormatterSyntax): string {
    let formatter = this.formatters.get(syntax);
    if (formatter === undefined) {
      formatter = new Formatter(syntax);
      formatter.hexPrefix = "0x";
      formatter.hexSuffix = "";
      formatter.uppercaseHex = false;
      formatter.spaceAfterOperandSeparator = true;
      formatter.branchLeadingZeros = false;
      formatter.addLeadingZeroToHexNumbers = false;
      formatter.smallHexNumbersInDecimal = true;
      formatter.gasSpaceAfterMemoryOperandComma = false;
      formatter.showBranchSize = false;
      this.formatters.set(syntax, formatter);
    }
    return formatter.format(this.instruction);
  }

  free(): void {
    this.decoder.free();
    this.instruction.free();
    for (const formatter of this.formatters.values()) formatter.free();
  }
}

/** Our mnemonic in iced's spelling. */
export function icedName(mnemonic: string): string {
  return ICED_NAME[mnemonic] ?? mnemonic;
}

/** A generator of 32-bit numbers from a seed (xorshift32): the same everywhere. */
export function randomFrom(seed: number): () => number {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

export { FormatterSyntax };
