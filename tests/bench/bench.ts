/**
 * The benchmark of the processor: MIPS (guest instructions retired a microsecond of host time; each repetition of a string
 * instruction counts one) and host nanoseconds for one operation. Each guest runs on a fresh machine several times; the
 * best time counts. Also the kernel's own work: all of forkdemo, from boot to exit, under each way to fork.
 */
import { parseArgs } from "node:util";
import Table from "cli-table3";
import { Machine } from "../../cpu/index";
import { buildAll } from "../../tools/image/build";
import { guests } from "./guests";

interface Result {
  name: string;
  instructions: number;
  /** By the clock on the wall, and by the processor time that this process used, which a busy host does not stretch. */
  seconds: number;
  cpuSeconds: number;
  mips: number;
  cpuMips: number;
  /** What one operation is, and how long it took. */
  operation: string;
  nanoseconds: number;
}

const REPEATS = 3;

/** Best of several runs from boot to exit. A guest that ends otherwise is reported, and its figure is left out. */
function measure(name: string, operation: string, operations: number, boot: () => Machine, repeats: number): Result[] {
  let seconds = Infinity;
  let cpuSeconds = Infinity;
  let instructions = 0;
  for (let i = 0; i < repeats; i++) {
    const machine = boot();
    const cpuStart = process.cpuUsage();
    const start = performance.now();
    const stop = machine.run({ maxInstructions: 1e11 });
    seconds = Math.min(seconds, (performance.now() - start) / 1000);
    const { user, system } = process.cpuUsage(cpuStart);
    cpuSeconds = Math.min(cpuSeconds, (user + system) / 1e6);
    instructions = machine.instret;
    if (stop.reason !== "exit" || stop.value !== 0) {
      console.error(`${name}: ended with ${JSON.stringify(stop)}`);
      process.exitCode = 1;
      return [];
    }
  }
  const [mips, cpuMips] = [seconds, cpuSeconds].map((time) => instructions / time / 1e6);
  const nanoseconds = (seconds * 1e9) / operations;
  return [{ name, instructions, seconds, cpuSeconds, mips, cpuMips, operation, nanoseconds }];
}

function measureGuests(): Result[] {
  return guests().flatMap(({ name, operation, operations, program }) => {
    const elf = program.elf();
    const boot = () => {
      const machine = new Machine({ memoryMB: 16 });
      machine.loadMultiboot(elf);
      return machine;
    };
    return measure(name, operation, operations, boot, REPEATS);
  });
}

/** The kernel's own work: all of forkdemo, under each way to fork. */
async function measureKernel(): Promise<Result[]> {
  const { kernel, initrd } = await buildAll("dist");
  return ["copy", "share"].flatMap((mode) => {
    const boot = () => {
      const machine = new Machine({ memoryMB: 512 });
      machine.loadMultiboot(kernel, { commandLine: `fork=${mode} init=/bin/forkdemo`, modules: [initrd] });
      return machine;
    };
    return measure("kernel work", `forkdemo, fork=${mode}`, 1, boot, 1);
  });
}

const { values } = parseArgs({ options: { json: { type: "boolean", default: false } } });
const results = [...measureGuests(), ...(await measureKernel())];
if (values.json) console.log(JSON.stringify({ version: 1, results }));
else {
  const table = new Table({
    head: ["guest", "instructions", "seconds", "MIPS", "MIPS (CPU time)", "operation", "ns each"],
    colAligns: ["left", "right", "right", "right", "right", "left", "right"],
    style: { head: [], border: [] },
  });
  for (const { name, instructions, seconds, mips, cpuMips, operation, nanoseconds } of results) {
    const figures = [instructions.toLocaleString("en"), seconds.toFixed(3), mips.toFixed(1), cpuMips.toFixed(1)];
    table.push([
      name,
      ...figures,
      operation,
      nanoseconds.toFixed(nanoseconds < 100 ? 1 : 0).replace(/\d(?=(\d{3})+$)/g, "$&,"),
    ]);
  }
  console.log(table.toString());
}
