/**
 * One run of a benchmark's guest, in a process of its own, so that no emulator's compiled code or garbage stays for the next:
 * `node tests/bench/peer.mjs ours|v86|v86-jit|qemu IMAGE`. Prints one line of JSON, {wall, cpu, checksum, instructions}: milliseconds
 * by the clock and of processor time from the line "begin" to the line "end" on COM1, and instructions retired in between where the
 * emulator counts them. Plain JavaScript over what is published: dist/index.mjs, which must be up to date, and the package v86.
 */
import { spawn } from "node:child_process";
import { readFileSync, writeSync } from "node:fs";
import { setEngineOptions } from "../../tools/engine.mjs";

const MEMORY_MB = 16;
const [engine, file] = process.argv.slice(2);

/**
 * Processor time in milliseconds of this process's first thread, which runs the emulator: compilers and collectors in other threads
 * do not count. Exact to a tick of the scheduler, 1 to 4 ms. Where the system does not tell, the clock on the wall.
 */
function processorTime() {
  try {
    return Number(readFileSync(`/proc/${process.pid}/task/${process.pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
  } catch {
    return performance.now();
  }
}

/** Listens to COM1. `counter` gives instructions retired so far, `processor` the processor time of what runs the guest. */
class Listener {
  line = "";
  at = { begin: undefined, end: undefined };

  constructor({ counter = () => 0, processor = processorTime } = {}) {
    this.counter = counter;
    this.processor = processor;
  }

  hear(bytes) {
    for (const byte of bytes) this.byte(byte);
  }

  byte(byte) {
    if (byte !== 10) {
      this.line += String.fromCharCode(byte);
      return;
    }
    const { line } = this;
    this.line = "";
    if (line in this.at) this.at[line] = { wall: performance.now(), cpu: this.processor(), count: this.counter() };
    else this.report(line);
  }

  /** The checksum is the last that a guest sends: nothing after it matters. */
  report(checksum) {
    const { begin, end } = this.at;
    const result = {
      wall: end.wall - begin.wall,
      cpu: end.cpu - begin.cpu,
      checksum,
      instructions: end.count - begin.count,
    };
    writeSync(1, `${JSON.stringify(result)}\n`);
    process.exit(0);
  }
}

async function runOurs(image) {
  setEngineOptions();
  const { Machine } = await import("../../dist/index.mjs");
  const listener = new Listener({ counter: () => machine.instret });
  const machine = new Machine({
    memoryMB: MEMORY_MB,
    onSerial: (bytes) => listener.hear(bytes),
  });
  machine.loadMultiboot(image);
  const stop = machine.run({ maxInstructions: Number.MAX_SAFE_INTEGER });
  throw new Error(`the guest ended early: ${JSON.stringify(stop)}`);
}

async function runV86(image, jit) {
  const { V86 } = await import("v86");
  const listener = new Listener();
  const emulator = new V86({
    wasm_path: new URL("../../node_modules/v86/build/v86.wasm", import.meta.url).pathname,
    memory_size: MEMORY_MB << 20,
    multiboot: { buffer: image.buffer.slice(image.byteOffset, image.byteOffset + image.length) },
    disable_jit: !jit,
    disable_speaker: true,
    autostart: true,
    log_level: 0,
  });
  emulator.add_listener("serial0-output-byte", (byte) => listener.byte(byte));
}

/**
 * QEMU is a process of its own: time is when its lines arrive here, some 50 us after they were sent, and always by the clock on the
 * wall, because its threads may be gone by then.
 */
function runQemu() {
  const options = "-accel tcg -nodefaults -display none -no-reboot -serial stdio -device isa-debug-exit,iobase=0xf4";
  const words = [...options.split(" "), "-m", String(MEMORY_MB), "-kernel", file];
  const qemu = spawn("qemu-system-i386", words, { stdio: ["ignore", "pipe", "inherit"] });
  const listener = new Listener({ processor: () => performance.now() });
  qemu.stdout.on("data", (bytes) => listener.hear(bytes));
  qemu.on("error", (error) => {
    throw error;
  });
  process.on("exit", () => qemu.kill());
}

if (engine === "ours") await runOurs(new Uint8Array(readFileSync(file)));
else if (engine === "qemu") runQemu();
else await runV86(new Uint8Array(readFileSync(file)), engine === "v86-jit");
