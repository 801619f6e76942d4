/** The two sides of the x87's conformance test: the host's processor by runner.c, and ours. Both take and give records. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cpu, RunExit } from "../../../cpu/cpu";
import { Word } from "../../../cpu/registers";

/** As struct record in runner.c. */
export const STATE_BYTES = 108;
export const MEMORY_BYTES = 128;
const CODE_BYTES = 16;
export const RECORD_BYTES = STATE_BYTES + MEMORY_BYTES + 12 + CODE_BYTES;
const EAX_AT = STATE_BYTES + MEMORY_BYTES;

/** A case before and after: the bytes of one record. */
export class Record {
  constructor(readonly bytes: Buffer) {}

  get state(): Buffer {
    return this.bytes.subarray(0, STATE_BYTES);
  }
  get memory(): Buffer {
    return this.bytes.subarray(STATE_BYTES, EAX_AT);
  }
  get control(): number {
    return this.bytes.readUInt16LE(0);
  }
  get status(): number {
    return this.bytes.readUInt16LE(4);
  }
  get tags(): number {
    return this.bytes.readUInt16LE(8);
  }
  /** Offset of the last instruction. */
  get instruction(): number {
    return this.bytes.readUInt32LE(12);
  }
  /** ST(i) as its ten bytes. */
  register(i: number): Buffer {
    return this.bytes.subarray(28 + 10 * i, 38 + 10 * i);
  }
  get eax(): number {
    return this.bytes.readUInt32LE(EAX_AT);
  }
  get eflags(): number {
    return this.bytes.readUInt32LE(EAX_AT + 4);
  }
  /** Bytes of code before, the signal after. */
  get number(): number {
    return this.bytes.readUInt32LE(EAX_AT + 8);
  }
  get code(): Buffer {
    return this.bytes.subarray(EAX_AT + 12, EAX_AT + 12 + CODE_BYTES);
  }
  setRegisters(eax: number, eflags: number): void {
    this.bytes.writeUInt32LE(eax >>> 0, EAX_AT);
    this.bytes.writeUInt32LE(eflags >>> 0, EAX_AT + 4);
  }
  setCode(code: readonly number[]): void {
    this.bytes.writeUInt32LE(code.length, EAX_AT + 8);
    this.code.fill(0);
    this.code.set(code);
  }
}

/** The records of a buffer. */
export function recordsOf(bytes: Buffer): Record[] {
  return Array.from(
    { length: bytes.length / RECORD_BYTES },
    (_, i) => new Record(bytes.subarray(i * RECORD_BYTES, (i + 1) * RECORD_BYTES)),
  );
}

export class Host {
  private constructor(
    private readonly directory: string,
    private readonly program: string,
  ) {}

  /** Builds the runner; null where there is no gcc, or no x86-64. */
  static build(source: string): Host | null {
    const directory = mkdtempSync(join(tmpdir(), "tine-x87-"));
    const program = join(directory, "runner");
    const gcc = spawnSync("gcc", ["-O1", "-o", program, source]);
    if (gcc.status === 0 && spawnSync(program, [], { input: "" }).status === 0) return new Host(directory, program);
    rmSync(directory, { recursive: true });
    return null;
  }

  /** The results of a buffer of cases. */
  run(cases: Buffer): Buffer {
    const { stdout, status } = spawnSync(this.program, [], { input: cases, maxBuffer: cases.length + 1 });
    if (status !== 0 || stdout.length !== cases.length) throw new Error(`the native runner failed: ${status}`);
    return stdout;
  }

  remove(): void {
    rmSync(this.directory, { recursive: true });
  }
}

const [CODE, STATE, AFTER, MEMORY] = [0x10000, 0x8000, 0x9000, 0xa000];
const CODE_STRIDE = 32;
const [EAX, EDX, ESI, EDI] = [0, 2, 6, 7];

export class Ours {
  readonly cpu = new Cpu({
    memoryBytes: 1 << 20,
    bus: { read: () => 0, write: () => undefined, acknowledge: () => 0 },
  });
  /** Where each instruction seen so far lies, between FRSTOR and FNSAVE. */
  private readonly placed = new Map<string, number>();

  run(bytes: Buffer): Buffer {
    const out = Buffer.from(bytes);
    for (const record of recordsOf(out)) this.runOne(record);
    return out;
  }

  private place(record: Record): number {
    const code = record.code.subarray(0, record.number);
    const key = code.toString("latin1");
    let at = this.placed.get(key);
    if (at === undefined) {
      at = CODE + CODE_STRIDE * this.placed.size;
      this.cpu.ram.set([0xdd, 0x26, ...code, 0xdd, 0x32, 0xf4], at);
      this.cpu.codeChanged(at, CODE_STRIDE);
      this.placed.set(key, at);
    }
    return at;
  }

  private runOne(record: Record): void {
    const { cpu } = this;
    cpu.setControl(0, 0x31);
    cpu.eip = this.place(record);
    cpu.ram.set(record.state, STATE);
    cpu.ram.set(record.memory, MEMORY);
    cpu.setRegister(ESI, STATE);
    cpu.setRegister(EDX, AFTER);
    cpu.setRegister(EDI, MEMORY);
    cpu.setRegister(EAX, record.eax);
    cpu.eflags = record.eflags;
    cpu.r[Word.Attention] = 0;
    if (cpu.run(cpu.instret + 10) !== RunExit.Halted) throw new Error("our processor did not reach the end");
    record.state.set(cpu.ram.subarray(AFTER, AFTER + STATE_BYTES));
    record.memory.set(cpu.ram.subarray(MEMORY, MEMORY + MEMORY_BYTES));
    record.setRegisters(cpu.register(EAX), cpu.eflags);
    record.bytes.writeUInt32LE(0, EAX_AT + 8);
  }
}
