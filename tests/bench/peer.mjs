/**
 * One run of a benchmark's guest, in a process of its own, so that no emulator's compiled code or garbage stays for the next:
 * `node tests/bench/peer.mjs ours|v86|v86-jit|qemu IMAGE`. Prints one line of JSON, {milliseconds, checksum, instructions}: from the line
 * "begin" to the line "end" on COM1, and instructions retired in between where the emulator counts them. Plain JavaScript over
 * what is published: dist/index.mjs, which must be up to date, and the package v86.
 */
import { spawn } from "node:child_process";
import { readFileSync, writeSync } from "node:fs";

const MEMORY_MB = 16;
const [engine, file] = process.argv.slice(2);

/** Listens to COM1; `counter` gives instructions retired so far. */
class Listener {
  line = "";
  begun = 0;
  ended = 0;
  startedAt = 0;
  instructions = 0;

  constructor(counter = () => 0) {
    this.counter = counter;
  }

  hear(bytes) {
    for (const byte of bytes) this.byte(byte);
  }

  byte(byte) {
    if (byte !== 10) {
      this.line += String.fromCharCode(byte);
      return;
    }
    const line = this.line;
    this.line = "";
    if (line === "begin") {
      this.startedAt = this.counter();
      this.begun = performance.now();
    } else if (line === "end") {
      this.ended = performance.now();
      this.instructions = this.counter() - this.startedAt;
    } else this.report(line);
  }

  /** The checksum is the last that a guest sends: nothing after it matters. */
  report(checksum) {
    const milliseconds = this.ended - this.begun;
    writeSync(1, `${JSON.stringify({ milliseconds, checksum, instructions: this.instructions })}\n`);
    process.exit(0);
  }
}

async function runOurs(image) {
  const { Machine } = await import("../../dist/index.mjs");
  const listener = new Listener(() => machine.instret);
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

/** QEMU is a process of its own: time is when its lines arrive here, some 50 us after they were sent. */
function runQemu() {
  const listener = new Listener();
  const options = "-accel tcg -nodefaults -display none -no-reboot -serial stdio -device isa-debug-exit,iobase=0xf4";
  const words = [...options.split(" "), "-m", String(MEMORY_MB), "-kernel", file];
  const qemu = spawn("qemu-system-i386", words, { stdio: ["ignore", "pipe", "inherit"] });
  qemu.stdout.on("data", (bytes) => listener.hear(bytes));
  qemu.on("error", (error) => {
    throw error;
  });
  process.on("exit", () => qemu.kill());
}

if (engine === "ours") await runOurs(new Uint8Array(readFileSync(file)));
else if (engine === "qemu") runQemu();
else await runV86(new Uint8Array(readFileSync(file)), engine === "v86-jit");
