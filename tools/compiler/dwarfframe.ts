/**
 * .debug_frame: the frame rules of all code. May import frames, dwarfwriter, mir.
 * Source: DWARF 4, section 6.4; register numbers of the System V ABI, Intel386 supplement. A trap's frame has the augmentation "S" (signal
 * frame): the address in its caller is that of an instruction that has not run, or not run to its end.
 */
import { ByteWriter } from "./dwarfwriter";
import type { FrameEntry, FrameRecord } from "./frames";
import { Register } from "./mir";

/** Beyond the general registers, which have their own numbers. */
const EIP = 8;
const EFLAGS = 9;
const WORD = 4;

const DW_CFA_advance_loc1 = 0x02;
const DW_CFA_advance_loc2 = 0x03;
const DW_CFA_advance_loc4 = 0x04;
const DW_CFA_advance_loc = 0x40;
const DW_CFA_offset = 0x80;
const DW_CFA_restore = 0xc0;
const DW_CFA_undefined = 0x07;
const DW_CFA_same_value = 0x08;
const DW_CFA_def_cfa = 0x0c;
const DW_CFA_val_expression = 0x16;
const DW_CFA_nop = 0;
const DW_OP_deref = 0x06;
const DW_OP_dup = 0x12;
const DW_OP_and = 0x1a;
const DW_OP_minus = 0x1c;
const DW_OP_bra = 0x28;
const DW_OP_skip = 0x2f;
const DW_OP_lit0 = 0x30;

const VERSION = 1;
const NO_CIE = 0xffffffff;
const ENTRIES: readonly FrameEntry[] = ["call", "trap", "outermost"];

/**
 * The interrupted ESP from the CFA of a trap, which lies behind EIP, CS and EFLAGS: the word there if CS says ring 3, else the CFA itself.
 */
const INTERRUPTED_ESP = [
  ...[DW_OP_dup, DW_OP_lit0 + 8, DW_OP_minus, DW_OP_deref, DW_OP_lit0 + 3, DW_OP_and],
  ...[DW_OP_bra, 3, 0, DW_OP_skip, 1, 0, DW_OP_deref],
];

/** The section, for frames at addresses. */
export function buildFrames(frames: readonly FrameRecord[]): Uint8Array {
  const out = new ByteWriter();
  const common = new Map<FrameEntry, number>();
  for (const entry of ENTRIES) {
    common.set(entry, out.length);
    writeCommon(out, entry);
  }
  for (const record of frames) if (record.size > 0) writeFrame(out, record, common.get(record.entry)!);
  return out.bytes();
}

function writeCommon(out: ByteWriter, entry: FrameEntry): void {
  sized(out, () => {
    out.u32(NO_CIE);
    out.u8(VERSION);
    out.text(entry === "trap" ? "S" : "");
    out.uleb(1);
    out.sleb(-WORD);
    out.u8(EIP);
    out.u8(DW_CFA_def_cfa);
    out.uleb(Register.ESP);
    out.uleb(WORD);
    if (entry === "outermost") {
      out.u8(DW_CFA_undefined);
      out.uleb(EIP);
      return;
    }
    const offset = (register: number, bytes: number): void => {
      out.u8(DW_CFA_offset | register);
      out.uleb(bytes / WORD);
    };
    offset(EIP, entry === "trap" ? 3 * WORD : WORD);
    // A call may change these; of a trap they are the program's until they are pushed.
    for (const register of [Register.EAX, Register.ECX, Register.EDX]) {
      out.u8(entry === "trap" ? DW_CFA_same_value : DW_CFA_undefined);
      out.uleb(register);
    }
    if (entry !== "trap") return;
    offset(EFLAGS, WORD);
    out.u8(DW_CFA_val_expression);
    out.uleb(Register.ESP);
    out.uleb(INTERRUPTED_ESP.length);
    for (const byte of INTERRUPTED_ESP) out.u8(byte);
  });
}

function writeFrame(out: ByteWriter, { offset, size, rules }: FrameRecord, common: number): void {
  sized(out, () => {
    out.u32(common);
    out.u32(offset);
    out.u32(size);
    let at = offset;
    for (const rule of rules) {
      advance(out, rule.at - at);
      at = rule.at;
      if (rule.kind === "cfa") {
        out.u8(DW_CFA_def_cfa);
        out.uleb(rule.register);
        out.uleb(rule.offset);
      } else if (rule.kind === "saved") {
        out.u8(DW_CFA_offset | rule.register);
        out.uleb(rule.offset / WORD);
      } else out.u8(DW_CFA_restore | rule.register);
    }
  });
}

function advance(out: ByteWriter, bytes: number): void {
  if (bytes === 0) return;
  if (bytes < 0x40) out.u8(DW_CFA_advance_loc | bytes);
  else if (bytes < 0x100) {
    out.u8(DW_CFA_advance_loc1);
    out.u8(bytes);
  } else if (bytes < 0x10000) {
    out.u8(DW_CFA_advance_loc2);
    out.u16(bytes);
  } else {
    out.u8(DW_CFA_advance_loc4);
    out.u32(bytes);
  }
}

/** A length, then what `write` writes, filled up to whole words. */
function sized(out: ByteWriter, write: () => void): void {
  out.sized32(() => {
    const start = out.length;
    write();
    while ((out.length - start) % WORD !== 0) out.u8(DW_CFA_nop);
  });
}
