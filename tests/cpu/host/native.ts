/** Runs the cases of cases.ts on the host's own processor, by runner.c. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Case, WINDOW } from "./cases";

const INPUT_BYTES = 8 + 36 + 64;
const OUTPUT_BYTES = 8 + 36 + 2 * WINDOW;

/** A signal as the vectors that cause it. */
export const SIGNAL_VECTORS: Record<number, readonly number[]> = {
  4: [6],
  5: [1, 3],
  7: [17],
  8: [0],
  11: [4, 5, 12, 13, 14],
};

export interface NativeResult {
  signal: number;
  eip: number;
  registers: number[];
  eflags: number;
  data: Uint8Array;
  stack: Uint8Array;
}

export class Native {
  private constructor(
    private readonly directory: string,
    private readonly program: string,
  ) {}

  /** Builds the runner; null where that cannot be: no gcc -m32, or no x86. */
  static build(source: string): Native | null {
    const directory = mkdtempSync(join(tmpdir(), "tine-host-"));
    const program = join(directory, "runner");
    const gcc = spawnSync("gcc", ["-m32", "-O1", "-static", "-no-pie", "-o", program, source]);
    const works = gcc.status === 0 && spawnSync(program, [], { input: "" }).status === 0;
    if (works) return new Native(directory, program);
    rmSync(directory, { recursive: true });
    return null;
  }

  run(cases: readonly Case[]): NativeResult[] {
    const input = Buffer.alloc(cases.length * INPUT_BYTES);
    for (const [index, one] of cases.entries()) {
      const at = index * INPUT_BYTES;
      input.writeUInt32LE(one.code.length, at);
      input.writeUInt32LE(one.seed, at + 4);
      for (const [i, register] of one.registers.entries()) input.writeInt32LE(register | 0, at + 8 + 4 * i);
      input.writeUInt32LE(one.eflags, at + 40);
      input.set(one.code, at + 44);
    }
    const { stdout, status } = spawnSync(this.program, [], { input, maxBuffer: 1 << 30 });
    if (status !== 0 || stdout.length !== cases.length * OUTPUT_BYTES)
      throw new Error(`the native runner failed: ${status}`);
    return cases.map((_, index) => {
      const at = index * OUTPUT_BYTES;
      return {
        signal: stdout.readUInt32LE(at),
        eip: stdout.readUInt32LE(at + 4),
        registers: Array.from({ length: 8 }, (_, i) => stdout.readUInt32LE(at + 8 + 4 * i)),
        eflags: stdout.readUInt32LE(at + 40),
        data: stdout.subarray(at + 44, at + 44 + WINDOW),
        stack: stdout.subarray(at + 44 + WINDOW, at + 44 + 2 * WINDOW),
      };
    });
  }

  remove(): void {
    rmSync(this.directory, { recursive: true });
  }
}
