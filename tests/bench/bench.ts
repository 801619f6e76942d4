/**
 * `npm run bench -- [--only NAME,...] [--peers ours,v86,v86-jit,qemu] [--repeat N] [--quick] [--clock wall|cpu] [--kernel] [--json]`: the
 * processor's speed beside other emulators', guest by guest, with the ratios that are wanted; the time that a start takes; what tracing costs, and being able to; with
 * --kernel also forkdemo from boot to exit under each way to fork. docs/bench.md says what it means.
 * May import compare, guests, hooks, peers, startup, trace, cpu, tools.
 */
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import { Machine } from "../../cpu/index";
import { buildAll } from "../../tools/image/build";
import { type Comparison, compare } from "./compare";
import { GUESTS } from "./guests/index";
import { HOOKS_LIMIT, type HookCosts, hookCosts } from "./hooks";
import { type Clock, hasQemu, PEER_NAMES, PEERS, type Peer } from "./peers";
import { STARTUP_LIMIT, startup } from "./startup";
import { type Spread, spread } from "./statistics";
import { TRACE_LIMITS, type TraceCosts, traceCosts } from "./trace";

/** --quick: a tenth of the operations. */
const QUICK = 0.1;
const STARTS = 7;

/** What --only takes beside guests. */
const OTHERS: readonly string[] = ["startup", "trace", "hooks"];

interface KernelWork {
  name: string;
  seconds: Spread;
  mips: Spread;
}

/** The kernel's own work: all of forkdemo, under each way to fork. */
async function kernelWork(rounds: number, progress: (text: string) => void): Promise<KernelWork[]> {
  const { kernel, initrd } = await buildAll("dist");
  const results: KernelWork[] = [];
  for (const mode of ["copy", "share"]) {
    const times: number[] = [];
    let instructions = 0;
    for (let round = 0; round < rounds; round++) {
      progress(`forkdemo, fork=${mode}, ${round + 1} of ${rounds}`);
      const machine = new Machine({ memoryMB: 512 });
      machine.loadMultiboot(kernel, { commandLine: `fork=${mode} init=/bin/forkdemo`, modules: [initrd] });
      const start = performance.now();
      const stop = machine.run({ maxInstructions: 1e11 });
      times.push((performance.now() - start) / 1000);
      instructions = machine.instret;
      if (stop.reason !== "exit" || stop.value !== 0) throw new Error(`forkdemo ended with ${JSON.stringify(stop)}`);
    }
    const mips = spread(times.map((seconds) => instructions / seconds / 1e6));
    results.push({ name: `forkdemo, fork=${mode}`, seconds: spread(times), mips });
  }
  return results;
}

/** Three figures at most before the point, two or so behind it. */
function number(value: number): string {
  const digits = value < 10 ? 2 : value < 100 ? 1 : 0;
  return value.toFixed(digits).replace(/\d(?=(\d{3})+$)/g, "$&,");
}

function times({ median, min, max }: Spread): string {
  return `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;
}

function verdict({ target }: Comparison): string {
  if (target === undefined) return "";
  return `${target.ratio.toFixed(1)}x ${PEER_NAMES[target.peer]}: ${target.reached ? "reached" : "short"}`;
}

function comparisonTable(results: readonly Comparison[], peers: readonly Peer[]): string {
  const others = peers.filter((peer) => peer !== "ours");
  const figures = peers.map((peer) => PEER_NAMES[peer]);
  const table = new Table({
    head: ["guest", "operation", ...figures, ...others.map((peer) => `ours / ${PEER_NAMES[peer]}`), "wanted"],
    colAligns: ["left", "left", ...peers.map(() => "right" as const), ...others.map(() => "right" as const), "left"],
    style: { head: [], border: [] },
  });
  for (const result of results) {
    const cells = peers.map((peer) => {
      const { nanoseconds, mips } = result.peers[peer]!;
      const rate = result.instructions > 0 ? `\n${number(mips.median)} MIPS` : "";
      return `${number(nanoseconds.median)} ns${rate}`;
    });
    const ratios = others.map((peer) => (result.ratios[peer] ? times(result.ratios[peer]) : ""));
    table.push([result.name, result.operation, ...cells, ...ratios, verdict(result)]);
  }
  return table.toString();
}

const mark = (reached: boolean): string => (reached ? "reached" : "short");
/** How much longer a ratio of times is than 1, in per cent. */
const more = (ratio: number): string => ((ratio - 1) * 100).toFixed(1);

/** The cost of tracing, with what is wanted. */
function printTrace({ lines, events, dense }: TraceCosts): void {
  const percent = ({ median, min, max }: Spread) => `${more(median)} % (${more(min)}–${more(max)})`;
  const { median, min, max } = lines;
  console.log(
    `full text trace to a file: ${number(median)} lines/s (${number(min)}–${number(max)}), wanted ${number(TRACE_LIMITS.lines)}: ${mark(median >= TRACE_LIMITS.lines)}`,
  );
  console.log(
    `events alone: longer by ${percent(events)}, wanted at most 10: ${mark(events.median <= TRACE_LIMITS.events)}; a storm of tiny forks and execs by ${percent(dense)}`,
  );
  console.log();
}

/** The cost of being able to trace. */
function printHooks({ medians, minima, rounds, count }: HookCosts): void {
  const { median, min, max } = rounds;
  console.log(
    `no trace, beside a machine without hooks: longer by ${more(median)} % (${more(min)}–${more(max)}) in ${count} rounds, ${more(medians)} % by the medians, ${more(minima)} % by the fastest, wanted at most ${more(HOOKS_LIMIT)}: ${mark(median <= HOOKS_LIMIT)}`,
  );
}

interface Options {
  only: string[];
  peers: Peer[];
  rounds: number;
  clock: Clock;
}

/** Checks the options' values. Throws Error with one line. */
function check(only: string | undefined, peers: string | undefined, repeat: string, clock: string): Options {
  const rounds = Number(repeat);
  if (!(Number.isInteger(rounds) && rounds > 0)) throw new Error(`--repeat wants a whole number, not '${repeat}'`);
  if (clock !== "wall" && clock !== "cpu") throw new Error(`--clock is wall or cpu, not '${clock}'`);
  const names = only?.split(",") ?? GUESTS.map(({ name }) => name);
  const wrong = names.find((name) => !GUESTS.some((guest) => guest.name === name) && !OTHERS.includes(name));
  if (wrong !== undefined) {
    const all = GUESTS.map(({ name }) => name).join(", ");
    throw new Error(`no guest is called '${wrong}'; there are: ${all}, ${OTHERS.join(", ")}`);
  }
  const wanted = peers?.split(",") ?? PEERS.filter((peer) => peer !== "qemu" || hasQemu());
  const odd = wanted.find((peer) => !(PEERS as readonly string[]).includes(peer));
  if (odd !== undefined) throw new Error(`no peer is called '${odd}'; there are: ${PEERS.join(", ")}`);
  if (wanted.includes("qemu") && !hasQemu()) throw new Error("qemu-system-i386 is not installed");
  return { only: names, peers: wanted as Peer[], rounds, clock };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      peers: { type: "string" },
      clock: { type: "string", default: "wall" },
      repeat: { type: "string", default: "5" },
      quick: { type: "boolean", default: false },
      kernel: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  let options: Options;
  try {
    options = check(values.only, values.peers, values.repeat, values.clock);
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}\n`);
    process.exitCode = 2;
    return;
  }
  const { peers, rounds, clock } = options;
  const progress = (text: string): void => void process.stderr.write(`bench: ${text}\n`);
  // Brings dist/ up to date: that is what runs as ours.
  spawnSync(process.execPath, ["tools/cli/tine.mjs", "--version"], { stdio: ["ignore", "ignore", "inherit"] });
  const scale = values.quick ? QUICK : 1;
  const guests = GUESTS.filter(({ name }) => options.only.includes(name));
  const results = await compare({ guests, peers, rounds, scale, clock, progress });
  const start = values.only === undefined || options.only.includes("startup") ? await startup(STARTS) : undefined;
  const wantsTrace = values.only === undefined || options.only.includes("trace");
  const trace = wantsTrace ? await traceCosts(rounds, scale, progress) : undefined;
  const wantsHooks = values.only === undefined || options.only.includes("hooks");
  const hooks = wantsHooks ? await hookCosts(rounds, scale, progress) : undefined;
  const kernel = values.kernel ? await kernelWork(rounds, progress) : [];
  if (values.json) {
    console.log(JSON.stringify({ version: 2, results, startup: start, trace, hooks, kernel }));
    return;
  }
  if (results.length > 0) console.log(comparisonTable(results, peers));
  if (start !== undefined) {
    const { median, min, max } = start;
    console.log(
      `start of Node to the first serial byte: ${median.toFixed(0)} ms (${min.toFixed(0)}–${max.toFixed(0)}), wanted under ${STARTUP_LIMIT}: ${mark(median < STARTUP_LIMIT)}`,
    );
  }
  if (trace !== undefined) printTrace(trace);
  if (hooks !== undefined) printHooks(hooks);
  for (const { name, seconds, mips } of kernel)
    console.log(`${name}: ${seconds.median.toFixed(2)} s, ${number(mips.median)} MIPS`);
}

await main();
