/**
 * Steps and events as lines of text. May import step, code, eventtypes, strace.
 *
 *     instret  ring  pid  cs:eip  symbol+offset  file:line  bytes  disassembly  reg=old>new flag=new  [va->pa old>new tlb=hit]
 *
 * Columns have fixed widths, so that a line can be written before the next is known; a longer text pushes its own line to the right. What
 * stays the same of an instruction is put together once.
 */
import { AccessKind } from "./accesses";
import type { Code, Syntax } from "./code";
import type { TraceEvent } from "./eventtypes";
import { FIELDS, type Field } from "./filter";
import { hex, hex2, hex4, hex8 } from "./hex";
import { CR3, EFLAGS, ESP, REGISTERS, type Step } from "./step";
import { statusText } from "./strace";

/** Widths of the columns that are the same each time. */
const WIDTHS = { address: 13, symbol: 28, source: 24, bytes: 20, code: 32 };

const FLAG_NAMES: readonly [number, string][] = [
  [0x1, "cf"],
  [0x4, "pf"],
  [0x10, "af"],
  [0x40, "zf"],
  [0x80, "sf"],
  [0x100, "tf"],
  [0x200, "if"],
  [0x400, "df"],
  [0x800, "of"],
  [0x3000, "iopl"],
  [0x4000, "nt"],
  [0x10000, "rf"],
  [0x20000, "vm"],
  [0x40000, "ac"],
  [0x200000, "id"],
];

const VECTORS: Readonly<Record<number, string>> = {
  0: "#DE divide error",
  1: "#DB debug exception",
  2: "NMI",
  3: "#BP breakpoint",
  4: "#OF overflow",
  5: "#BR bound range exceeded",
  6: "#UD invalid opcode",
  7: "#NM no x87",
  8: "#DF double fault",
  10: "#TS invalid TSS",
  11: "#NP segment not present",
  12: "#SS stack fault",
  13: "#GP general protection",
  16: "#MF x87 error",
  17: "#AC alignment check",
};
/** Devices by their interrupt's line. */
const LINES: Readonly<Record<number, string>> = { 0: " timer", 1: " keyboard", 4: " serial", 8: " clock", 14: " disk" };

export interface FormatOptions {
  fields: ReadonlySet<Field>;
  syntax: Syntax;
  /** Events say where they happen: there is no instruction's line before them that does. */
  where: boolean;
}

/** The columns of an instruction that are the same each time, and the same without the blanks at their end. */
interface Columns {
  cs: number;
  padded: string;
  bare: string;
}

export class TextFormat {
  private readonly columns = new Map<Code, Columns>();
  private readonly has: Record<Field, boolean>;

  constructor(private readonly options: FormatOptions) {
    this.has = Object.fromEntries(FIELDS.map((field) => [field, options.fields.has(field)])) as Record<Field, boolean>;
  }

  /** The line of a step, with its newline. */
  step(step: Step): string {
    const { code } = step;
    let columns = this.columns.get(code);
    if (columns === undefined || columns.cs !== step.cs) {
      columns = this.columnsOf(code, step.cs);
      this.columns.set(code, columns);
    }
    const { has } = this;
    const times = step.retired > 1 && has.code ? ` (${step.retired} times)` : "";
    const changed = this.changes(step);
    const memory = has.memory && code.accesses.length > 0 ? this.memory(step) : "";
    const front = this.front(step.instret, step.ring, step.pid);
    if (changed === "" && memory === "") return `${front}${columns.bare}${times}\n`;
    const gap = times === "" ? columns.padded : columns.bare;
    if (changed === "") return `${front}${gap}${times}  ${memory}\n`;
    return memory === "" ? `${front}${gap}${times}  ${changed}\n` : `${front}${gap}${times}  ${changed}  ${memory}\n`;
  }

  private front(instret: number, ring: number, pid: number): string {
    const { has } = this;
    let text = "";
    if (has.instret) text = padStart(decimal(instret), 10);
    if (has.ring) text += text === "" ? `r${ring}` : ` r${ring}`;
    if (has.pid) text += (text === "" ? "" : " ") + (pid < 0 ? "-  " : pid < 10 ? `p${pid} ` : `p${pid}`);
    return text;
  }

  private columnsOf(code: Code, cs: number): Columns {
    const { has } = this;
    const parts: [boolean, string, number][] = [
      [has.address, `${hex4(cs)}:${hex8(code.eip)}`, WIDTHS.address],
      [has.symbol, code.symbol, WIDTHS.symbol],
      [has.source, code.source, WIDTHS.source],
      [has.bytes, Array.from(code.bytes, (byte) => hex2(byte)).join(" "), WIDTHS.bytes],
      [has.code, code[this.options.syntax], WIDTHS.code],
    ];
    const padded = parts
      .filter(([shown]) => shown)
      .map(([, text, width]) => `  ${text.padEnd(width)}`)
      .join("");
    return { cs, padded, bare: padded.trimEnd() };
  }

  /** "eax=0>5 zf=1": what differs behind the instruction. Where a trap came in between, ESP and EFLAGS are the delivery's. */
  private changes(step: Step): string {
    const { before, after, interrupted } = step;
    let text = "";
    if (this.has.registers) {
      for (let i = 0; i < EFLAGS; i++) {
        if (before[i] === after[i] || (interrupted && i === ESP)) continue;
        text += `${text === "" ? "" : " "}${REGISTERS[i]}=${hex(before[i])}>${hex(after[i])}`;
      }
    }
    if (this.has.flags && before[EFLAGS] !== after[EFLAGS] && !interrupted) {
      const flags = flagChanges(before[EFLAGS], after[EFLAGS]);
      text += text === "" ? flags : ` ${flags}`;
    }
    if (this.has.registers && before[CR3] !== after[CR3]) {
      text += `${text === "" ? "" : " "}cr3=${hex(before[CR3])}>${hex(after[CR3])}`;
    }
    return text;
  }

  private memory(step: Step): string {
    const { accesses } = step.code;
    let text = "";
    for (let i = 0; i < accesses.length; i++) {
      const physical = step.physical[i];
      const value =
        step.old[i] < 0
          ? ""
          : accesses[i].kind === AccessKind.Read
            ? `=${hex(step.old[i])}`
            : ` ${hex(step.old[i])}>${hex(step.now[i])}`;
      const tlb = this.has.tlb ? (step.hit[i] !== 0 ? " tlb=hit" : " tlb=miss") : "";
      const to = physical < 0 ? "-" : hex8(physical);
      text += `${i === 0 ? "" : " "}[${hex8(step.linear[i])}->${to}${value}${tlb}]`;
    }
    return text;
  }

  /** The line of an event, with its newline. `where` names its code: "main+0x5 hello.ts:12". */
  event(event: TraceEvent, where: string): string {
    const place = this.options.where && where !== "" && SHOW_WHERE.has(event.kind) ? ` at ${where}` : "";
    return `${this.front(event.instret, event.ring, event.pid)}  ${eventText(event, where)}${place}\n`;
  }
}

/** A count's digits: a small integer's are had faster than a double's. */
function decimal(count: number): string {
  return (count | 0) === count ? String(count | 0) : String(count);
}

function padStart(text: string, width: number): string {
  return text.length < width ? "          ".slice(0, width - text.length) + text : text;
}

const flagTexts = new Map<number, string>();

function flagChanges(before: number, after: number): string {
  // There are few pairs of what changed and what it became.
  const key = (before ^ after) * 0x400000 + (after & 0x3fffff);
  let text = flagTexts.get(key);
  if (text === undefined) {
    text = FLAG_NAMES.filter(([mask]) => ((before ^ after) & mask) !== 0)
      // Shifted down to the mask's lowest bit.
      .map(([mask, name]) => `${name}=${(after & mask) / (mask & -mask)}`)
      .join(" ");
    flagTexts.set(key, text);
  }
  return text;
}

/** Events of which a reader wants to know where the code stood. */
const SHOW_WHERE: ReadonlySet<string> = new Set([
  "pageFault",
  "exception",
  "irq",
  "syscall",
  "unshare",
  "share",
  "copyOnWrite",
  "traceMark",
]);

function frameText(frame: number): string {
  return frame < 0 ? "?" : `0x${hex(frame)}`;
}

function usersText(before: number, after: number): string {
  return after < 0 ? "users ?" : `users ${before}>${after}`;
}

function pageFaultWords(code: number): string {
  const what = code & 16 ? "fetch" : code & 2 ? "write" : "read";
  return `${code & 4 ? "user" : "kernel"} ${what}, ${code & 1 ? "not allowed" : "not present"}, error ${hex(code)}`;
}

/** An event in words: `!SHARE table 0x337 slot 32 users 1>2`. */
export function eventText(event: TraceEvent, where = ""): string {
  switch (event.kind) {
    case "pageFault":
      return `!PF 0x${hex8(event.address)} ${pageFaultWords(event.errorCode)}`;
    case "pageFaultEnd": {
      const frame = event.frame < 0 ? "" : `, frame ${frameText(event.frame)}`;
      const took = event.instret - event.faultInstret;
      return `!PF 0x${hex8(event.address)} done: ${event.outcome.join(", ")}${frame}, ${took} instructions`;
    }
    case "cr3":
      return `!CR3 ${hex8(event.value)}`;
    case "tlbFlush":
      return event.global ? "!TLB flush, global entries too" : "!TLB flush";
    case "invlpg":
      return `!TLB invlpg ${hex8(event.address)}`;
    case "irq":
      return event.line < 0 ? `!IRQ vector 0x${hex(event.vector)}` : `!IRQ ${event.line}${LINES[event.line] ?? ""}`;
    case "exception": {
      const name = VECTORS[event.vector] ?? `interrupt 0x${hex(event.vector)}`;
      const code = event.errorCode >= 0 ? `, error ${hex(event.errorCode)}` : "";
      return `!TRAP ${name}${code}${event.why === "" ? "" : `: ${event.why}`}`;
    }
    case "syscall":
    case "syscallEnd":
      return `!SYS ${event.text}`;
    case "switch":
      return `!SWITCH ${event.from} > ${event.pid}${event.name === "" ? "" : ` ${event.name}`}`;
    case "fork":
      return `!FORK child ${event.child}`;
    case "exec":
      return `!EXEC ${event.path}`;
    case "exit":
      return `!EXIT ${event.status < 0 ? "" : statusText(event.status)}`.trimEnd();
    case "share":
      return `!SHARE table ${frameText(event.table)} slot ${event.slot} ${usersText(event.before, event.after)}`;
    case "unshare": {
      const tables = `table ${frameText(event.table)}>${frameText(event.newTable)}`;
      return `!UNSHARE why=${event.cause} ${tables} slot ${event.slot} ${usersText(event.before, event.after)}`;
    }
    case "release":
      return `!RELEASE table ${frameText(event.table)} slot ${event.slot} ${usersText(event.before, event.after)}`;
    case "copyOnWrite": {
      const page = event.page < 0 ? `slot ${event.slot}` : `page ${hex8(event.page)}`;
      return `!COW ${page} frame ${frameText(event.from)}>${frameText(event.to)}`;
    }
    case "swapOut":
      return `!SWAP out frame ${frameText(event.frame)}${event.swapSlot < 0 ? "" : ` slot ${event.swapSlot}`}`;
    case "swapIn":
      return `!SWAP in frame ${frameText(event.frame)}${event.page < 0 ? "" : ` page ${hex8(event.page)}`}`;
    case "panic":
      return "!PANIC";
    case "regionBegin":
    case "regionEnd":
      return `!REGION ${event.kind === "regionBegin" ? "begins" : "ends"} ${event.id} tag ${event.tag}`;
    case "traceMark":
      return `!MARK ${["note", "on", "off"][event.control] ?? event.control} ${event.value}`;
    case "end":
      return `!END exit port ${event.value}`;
    case "frameAlloc": {
      const frames = event.order === 0 ? "" : ` and ${2 ** event.order - 1} more`;
      const got = event.frame === 0 ? "none" : frameText(event.frame) + frames;
      return `!FRAME alloc ${got} ${event.use}${where === "" ? "" : ` by ${where}`}`;
    }
    case "frameFree": {
      const frames = event.order === 0 ? "" : ` and ${2 ** event.order - 1} more`;
      return `!FRAME free ${frameText(event.frame)}${frames} ${event.use}${where === "" ? "" : ` by ${where}`}`;
    }
    case "watch": {
      const at = event.physical < 0 ? "" : `->${hex8(event.physical)}`;
      return `!WATCH ${hex8(event.address)}${at} ${hex(event.old)}>${hex(event.now)}${where === "" ? "" : ` by ${where}`}`;
    }
  }
}
