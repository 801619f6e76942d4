/** A machine's memory from outside, its page tables, and what it takes of the host's. */
import { spawnSync } from "node:child_process";
import { buildSync } from "esbuild";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { at, CR, EAX, ECX, Program } from "./guest";
import { boot, fingerprint, latin1 } from "./machinerig";
import * as programs from "./programs";

const test = suite("cpu/machinememory");

test("memory from outside: physical, virtual, and code that is written over", () => {
  const p = new Program();
  p.op("mov", ECX, 1000).label("loop").op("dec", ECX).jump("jnz", "loop").exit(1);
  const { machine } = boot(p);
  machine.run({ maxInstructions: 101 });
  assert.is(machine.translate(0x100000), 0x100000);
  const loop = p.address("loop");
  assert.equal([...machine.readVirtual(loop, 3)], [0x49, 0x0f, 0x85]);
  const end = 4 << 20;
  assert.is(machine.readPhysical(end - 2, 10).length, 2);
  assert.is(machine.readVirtual(end - 2, 10).length, 2);
  machine.writePhysical(loop + 1, Uint8Array.of(0xb0, 9, 0xe6, 0xf4)); // mov al, 9; out 0xf4, al
  assert.equal(machine.run({ maxInstructions: 1000 }), { reason: "exit", value: 9 });
  assert.is(machine.instret, 104);
});

test("paging: translate and readVirtual walk the tables, for another directory too, and the TLB can be seen", () => {
  const p = new Program();
  const [directory, table] = [0x200000, 0x201000];
  const words: [number, number][] = [[directory, table | 7]];
  for (let page = 0; page < 0x180; page++) words.push([table + 4 * page, (page << 12) | 7]);
  words.push([table + 4 * 0x300, 0x123007]);
  for (const [address, value] of words) p.op("mov", EAX, value).op("mov", at(EAX, address - value), EAX);
  p.op("mov", EAX, directory).op("mov", CR[3], EAX);
  p.op("mov", EAX, CR[0]).op("or", EAX, 0x80000000).op("mov", CR[0], EAX);
  p.op("mov", EAX, 0x300000).op("mov", ECX, at(EAX)).exit(0);
  const { machine } = boot(p);
  machine.run({ maxInstructions: 1e6 });
  assert.is(machine.translate(0x300abc), 0x123abc);
  assert.is(machine.translate(0x301000), -1);
  assert.is(machine.translate(0x800000), -1);
  assert.is(machine.translate(0x300abc, 0x210000), -1);
  assert.equal(machine.readVirtual(0x300000, 8), machine.readPhysical(0x123000, 8));
  assert.is(machine.readVirtual(0x300ffc, 8).length, 4);
  const entry = machine.tlbEntries().find(({ linear }) => linear === 0x300000);
  assert.equal(entry, {
    linear: 0x300000,
    physical: 0x123000,
    bytes: 4096,
    writable: true,
    user: true,
    dirty: false,
    global: false,
  });
});

test("two machines in one process do not know of each other", () => {
  const alone = boot(programs.churn());
  alone.machine.run({ maxInstructions: 60_000 });
  const [one, two] = [boot(programs.churn()), boot(programs.echoWithTimer(1193))];
  two.machine.input(latin1("abc"), { atInstret: 300 });
  for (let i = 0; i < 60; i++) {
    one.machine.run({ maxInstructions: 1000 });
    two.machine.run({ maxInstructions: 321 });
  }
  assert.equal(fingerprint(one.machine), fingerprint(alone.machine));
  assert.is(two.serial(), "bcd");
});

test("a machine of 64 MB, all of it used, stays below 250 MB of RSS", () => {
  const script = `
    import { Machine } from "./cpu/index";
    import { touchAll } from "./tests/cpu/programs";
    const machine = new Machine({ memoryMB: 64 });
    machine.loadMultiboot(touchAll(64 << 20).elf());
    const stop = machine.run({ maxInstructions: 1e6 });
    console.log(JSON.stringify({ reason: stop.reason, kilobytes: process.resourceUsage().maxRSS }));`;
  const { outputFiles } = buildSync({
    stdin: { contents: script, resolveDir: process.cwd(), loader: "ts" },
    bundle: true,
    format: "esm",
    platform: "node",
    write: false,
  });
  const child = spawnSync(process.execPath, ["--input-type=module", "-"], { input: outputFiles[0].text });
  const { reason, kilobytes } = JSON.parse(child.stdout.toString());
  assert.is(reason, "exit");
  assert.ok(kilobytes > 64_000 && kilobytes < 250_000, `${kilobytes} KB`);
});

test.run();
