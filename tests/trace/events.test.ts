/** Decoded events: each kind with what it tells, against what the program does and what memory says. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Machine } from "../../cpu/index";
import { swapDisk } from "../../tools/disk/swaparea";
import { Events, type TraceEvent } from "../../tools/trace/events";
import { eventText } from "../../tools/trace/format";
import { littleKernel } from "./little";
import { AREA, between, eventsOf, initrdOf, layout, machineOf, ofKind } from "./scenes";

const test = suite("trace/events");
const SLOT = AREA >>> 22;

const all = eventsOf(machineOf());

test("first use of pages: a fault for each, resolved by a page of zeros at the faulting instruction", () => {
  const scene = between(all, 1, 2);
  const faults = ofKind(scene, "pageFault");
  const ends = ofKind(scene, "pageFaultEnd");
  assert.equal(
    faults.map(({ address, errorCode, ring }) => [address, errorCode, ring]),
    [0, 1, 2].map((page) => [AREA + page * 4096, 6, 3]),
  );
  for (const [i, end] of ends.entries()) {
    assert.equal(end.outcome, ["mapped zero"]);
    assert.equal([end.address, end.eip, end.faultEip], [faults[i].address, faults[i].eip, faults[i].eip]);
    assert.equal([end.ring, end.faultInstret], [3, faults[i].instret]);
    assert.ok(end.frame > 0 && end.instret > faults[i].instret);
  }
});

test("fork shares tables: each is told with its frame, its users and the system call", () => {
  const scene = between(all, 2, 3);
  const shares = ofKind(scene, "share");
  const area = shares.find(({ slot }) => slot === SLOT);
  assert.ok(area !== undefined, "the area's table is shared");
  assert.equal([area.before, area.after, area.origin?.syscall, area.pid], [1, 2, "fork", 2]);
  const [fork] = ofKind(scene, "fork");
  assert.equal([fork.pid, fork.child], [2, 3]);
  assert.ok(
    shares.every(({ instret }) => instret < fork.instret),
    "before the child exists",
  );
});

test("a write unshares: old table, new one, users, cause, and then the page is copied", () => {
  const scene = between(all, 2, 3);
  const [share] = ofKind(scene, "share").filter(({ slot }) => slot === SLOT);
  const [unshare] = ofKind(scene, "unshare").filter(({ slot }) => slot === SLOT);
  assert.equal([unshare.pid, unshare.cause, unshare.table], [3, "write", share.table]);
  assert.equal([unshare.before, unshare.after], [2, 1]);
  assert.ok(unshare.newTable > 0 && unshare.newTable !== unshare.table);
  assert.is(unshare.origin?.syscall, undefined, "it was a fault, and no call");
  const [copy] = ofKind(scene, "copyOnWrite").filter(({ slot }) => slot === SLOT);
  assert.equal([copy.pid, copy.page], [3, AREA + 4096]);
  assert.ok(copy.from !== copy.to && copy.from > 0 && copy.to > 0);
  const end = ofKind(scene, "pageFaultEnd").find(({ pid, address }) => pid === 3 && address === AREA + 4096);
  assert.equal(end?.outcome, ["unshared", "copied"]);
  assert.is(end?.frame, copy.to);
  assert.is(end?.faultEip, unshare.origin?.eip);
});

test("what is unshared by a call has the call's name", () => {
  const [unshare] = ofKind(between(all, 3, 4), "unshare").filter(({ slot }) => slot === SLOT);
  assert.equal([unshare.cause, unshare.origin?.syscall, unshare.before, unshare.after], ["munmap", "munmap", 2, 1]);
});

test("a table that is given up is told with who is left", () => {
  const scene = between(all, 5, 6);
  const [share] = ofKind(scene, "share").filter(({ slot }) => slot === SLOT);
  const [release] = ofKind(scene, "release").filter(({ slot }) => slot === SLOT);
  assert.equal(
    [release.table, release.before, release.after, release.origin?.syscall],
    [share.table, 2, 1, "execve"],
    "exec gives it up",
  );
});

test("system calls as strace has them: strings, paths, what was filled in, errors by name", () => {
  const texts = ofKind(between(all, 4, 5), "syscallEnd").map(({ text }) => text);
  assert.equal(texts, [
    'open("/no/such/file", O_RDONLY, 0) = -1 ENOENT (No such file or directory)',
    "pipe([3, 4]) = 0",
    'write(4, "to\\tthe \\"pipe\\"\\n", 14) = 14',
    'read(3, "to\\tthe \\"pipe\\"\\n", 16) = 14',
  ]);
  const begun = ofKind(between(all, 4, 5), "syscall").map(({ text }) => text);
  assert.match(begun[3], /^read\(3, 0x[0-9a-f]+, 16\)$/, "nothing has been read yet");
  const map = ofKind(all, "syscallEnd").find(({ name }) => name === "mmap" || name === "mmap2");
  assert.match(
    map?.text ?? "",
    /^mmap2?\(0x50000000, 4194304, PROT_READ\|PROT_WRITE, MAP_PRIVATE\|MAP_FIXED\|MAP_ANONYMOUS, -1, 0\) = 0x50000000$/,
  );
});

test("a call that another process runs in between is told when it is over; a fork's child tells of none", () => {
  const scene = between(all, 2, 3);
  const calls = ofKind(scene, "syscallEnd");
  assert.equal(
    calls.map(({ pid, text }) => `${pid} ${text.replace(/0x[0-9a-f]+/, "P")}`),
    ["2 fork() = 3", "2 waitpid(3, [exited 3], 0) = 3"].map((text) =>
      calls.some(({ name }) => name === "wait4")
        ? text.replace("waitpid(3, [exited 3], 0)", "wait4(3, [exited 3], 0, NULL)")
        : text,
    ),
  );
  assert.ok(calls[1].beganAt < ofKind(scene, "exit")[0].instret);
});

test("exec with its path, exit with its status, a fault that is no access with its signal", () => {
  const [exec] = ofKind(between(all, 5, 6), "exec");
  assert.equal([exec.pid, exec.path], [5, "/bin/true"]);
  assert.equal(
    ofKind(all, "exit").map(({ pid, status }) => [pid, status]),
    [
      [3, 3 << 8],
      [4, 0],
      [5, 0],
      [6, 11],
      [2, 5 << 8],
    ],
  );
  assert.is(ofKind(all, "exec")[0].path, "init", "the first is the kernel's own");
  const wild = ofKind(all, "pageFault").find(({ address }) => address === 0x1000);
  assert.equal([wild?.pid, wild?.errorCode], [6, 6]);
});

test("switches, CR3, flushes, interrupts, the end", () => {
  const switches = ofKind(all, "switch");
  for (let i = 1; i < switches.length; i++) assert.is(switches[i].from, switches[i - 1].pid);
  assert.ok(switches.some(({ pid, name }) => pid === 3 && name === "scenes"));
  const loads = ofKind(all, "cr3");
  const flushes = ofKind(all, "tlbFlush").filter(({ global }) => !global);
  assert.ok(loads.length > 10 && flushes.length >= loads.length);
  assert.ok(ofKind(all, "invlpg").length > 3);
  assert.equal(
    ofKind(all, "end").map(({ value }) => value),
    [2],
  );
});

test("interrupts of the timer and the serial port, with their lines", () => {
  const irqs = ofKind(eventsOf(machineOf("scenes", { words: "fork=copy" }), ["irq"]), "irq");
  assert.ok(irqs.every(({ line, vector }) => vector === line + 32));
  const busy = ofKind(eventsOf(machineOf("forkstorm 30"), ["irq"]), "irq");
  assert.ok(
    busy.some(({ line }) => line === 0),
    "the clock ticks",
  );
  assert.is(eventText(busy.find(({ line }) => line === 0) as TraceEvent), "!IRQ 0 timer");
});

const HUNGRY = `
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, mmap, PROT_READ, PROT_WRITE } from "tine";
export function main(): i32 {
  mmap(0x50000000, 0x800000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS);
  for (let round: u32 = 1; round < 3; round++)
    for (let page: u32 = 0; page < 2048; page++) store<u32>(0x50000000 + page * 4096, round);
  return 0;
}`;
const hungry = await initrdOf({ hungry: HUNGRY });

test("pages that are swapped out and in, with their frames and slots", () => {
  const disk = swapDisk(16);
  const machine = machineOf("hungry", { words: "swap=on", memoryMB: 8, disk, modules: [hungry] });
  const events = eventsOf(machine, ["swapOut", "swapIn", "pageFaultEnd"]);
  const outs = ofKind(events, "swapOut").filter(({ swapSlot }) => swapSlot > 0);
  const ins = ofKind(events, "swapIn");
  assert.ok(outs.length > 100 && ins.length > 100, `${outs.length} out, ${ins.length} in`);
  assert.is(new Set(outs.slice(0, 50).map(({ swapSlot }) => swapSlot)).size, 50, "each in a slot of its own");
  for (const { page } of ins) assert.ok(page >= 0x50000000 || page > 0, "each for the page that faulted");
  const ends = ofKind(events, "pageFaultEnd").filter(({ outcome }) => outcome.includes("swapped in"));
  assert.is(ends.length, ins.length);
});

/**
 * What somebody is told of an event who began to listen at a moment. Only of what was under way then is less known: when a call and a
 * fault began, and what a fault had done by then. The end of a fault within the
 * kernel, which is a return to ring 0 like many, is then not known for one, nor is that of the call in which it came.
 */
function asHeardSince(moment: number, event: TraceEvent): TraceEvent | undefined {
  if (event.kind === "syscallEnd" && event.beganAt < moment) {
    const inFault = ofKind(all, "pageFaultEnd").some(
      ({ pid, ring, faultInstret, instret }) =>
        pid === event.pid && ring === 0 && faultInstret < moment && instret >= moment,
    );
    return inFault ? undefined : { ...event, beganAt: -1 };
  }
  if (event.kind !== "pageFaultEnd" || event.faultInstret >= moment) return event;
  if (event.ring === 0) return undefined;
  const done = all.filter(
    ({ pid, instret }) =>
      pid === event.pid && instret > event.faultInstret && instret < moment && instret < event.instret,
  );
  const words = { unshare: "unshared", copyOnWrite: "copied" } as const;
  const known = Object.entries(words).filter(([kind]) => done.some((one) => one.kind === kind));
  const outcome = event.outcome.filter((word) => !known.some(([, one]) => one === word));
  return { ...event, faultInstret: -1, outcome };
}

test("what is told does not depend on when one began to listen, but for what was under way; nor on what others listen to", () => {
  const kinds = ["share", "unshare", "release", "copyOnWrite", "pageFaultEnd", "syscallEnd", "exec", "exit"] as const;
  const whole = all.filter(({ kind }) => (kinds as readonly string[]).includes(kind));
  const callOf = (wanted: string) => ofKind(all, "syscall").filter(({ name }) => name === wanted)[0].instret;
  const unshare = ofKind(all, "unshare").find(({ cause }) => cause === "write") as TraceEvent;
  // A call's first instructions only save what its arguments are read from.
  const within = [callOf("fork") + 100, callOf("execve") + 100, callOf("munmap") + 100, unshare.instret + 50];
  within.push(callOf("munmap") + 1, callOf("munmap") + 5, callOf("munmap") + 10, callOf("fork") + 3);
  let less = 0;
  for (const moment of [200_000, 590_000, 601_234, 620_000, 650_000, ...within]) {
    const machine = machineOf();
    machine.run({ maxInstructions: moment });
    const late = eventsOf(machine, kinds);
    const told = whole.filter(({ instret }) => instret >= moment);
    const heard = told.map((event) => asHeardSince(moment, event));
    const expected = heard.filter((event) => event !== undefined);
    for (const [i, event] of expected.entries()) assert.equal(late[i], event, `from ${moment} on, event ${i}`);
    assert.is(late.length, expected.length, `from ${moment} on`);
    less += heard.filter((event, i) => event?.kind !== "syscallEnd" && event !== told[i]).length;
  }
  assert.ok(less >= 2, "a program's fault and one within the kernel were under way");
});

test("listening costs the guest nothing, and nobody hears after the end", () => {
  const quiet = machineOf();
  quiet.run({ maxInstructions: 1e9 });
  const machine = machineOf();
  let heard = 0;
  const unlisten = new Events(machine, layout).on(() => heard++);
  machine.run({ maxInstructions: 600_000 });
  assert.ok(heard > 0);
  unlisten();
  const before = heard;
  machine.run({ maxInstructions: 1e9 });
  assert.is(heard, before);
  assert.equal([machine.instret, machine.cycles], [quiet.instret, quiet.cycles]);
});

test("a kernel that is not ours: the processor's events alone", () => {
  const machine = new Machine({ memoryMB: 16 });
  machine.loadMultiboot(littleKernel("mov eax, [0x800000]\nint 0x80\nmov eax, cr3\nmov cr3, eax"));
  const events: TraceEvent[] = [];
  new Events(machine, undefined).on((event) => events.push(event));
  machine.run({ maxInstructions: 1e6 });
  assert.equal(
    events.map(({ kind, pid }) => `${kind} ${pid}`).filter((text) => !text.startsWith("tlbFlush")),
    ["cr3 -1", "pageFault -1", "pageFaultEnd -1", "syscall -1", "syscallEnd -1", "cr3 -1", "end -1"],
  );
});

test.run();
