import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Machine } from "../../cpu/index";
import { lastLines, panicSpec } from "../../tools/trace/last";
import { frame, from, littleKernel, traced, tracerOf } from "./little";

const test = suite("trace/lines");

test("a line has count, ring, process, address, symbol, source line, bytes, text, changes and memory", () => {
  const { lines } = traced("mov eax, 5\nadd eax, -5\nmov [spare], eax\nadd dword ptr [spare], 9\npush 7\npop ebx");
  const [first, second, third, fourth, fifth, sixth, ...rest] = from(lines, "mov eax, 5");
  const line = frame("").split("\n").indexOf("body:") + 2;
  assert.match(
    first,
    new RegExp(`^\\d+ r0 - 0008:0010[0-9a-f]{4} body kernel/little.s:${line} b8 05 00 00 00 mov eax, 5 eax=0>5$`),
  );
  assert.match(second, new RegExp(`body\\+0x5 kernel/little.s:${line + 1} 83 c0 fb add eax, -5 eax=5>0 `));
  assert.match(second, /cf=1/);
  assert.match(third, /mov \[0x[0-9a-f]+\] <spare>, eax \[0012([0-9a-f]{4})->0012\1 0>0 tlb=hit\]$/);
  assert.match(fourth, /add dword ptr .* \[0012([0-9a-f]{4})->0012\1 0>9 tlb=hit\]$/);
  assert.match(fifth, /push 7 esp=([0-9a-f]+)>([0-9a-f]+) \[00\2->00\2 [0-9a-f]+>7 tlb=hit\]$/);
  assert.match(sixth, /pop ebx ebx=[0-9a-f]+>7 esp=([0-9a-f]+)>[0-9a-f]+ \[00\1->00\1=7 tlb=hit\]$/);
  assert.is(rest.length, 3, "two instructions leave the run, and it ends");
  assert.match(rest[0], /mov al, 0/);
  assert.match(rest[1], /out 0xf4, al/);
  assert.match(rest[2], /!END exit port 0/);
  const counts = lines.filter((text) => !text.includes("!")).map((text) => Number.parseInt(text, 10));
  assert.equal(
    counts,
    counts.map((_, i) => counts[0] + i),
  );
});

test("operands in memory: those that are read and written, and those that only count", () => {
  const { lines } = traced(
    [
      "mov esi, spare",
      "mov edi, spare + 8",
      "mov dword ptr [spare], 0x1234",
      "movsd",
      "lea eax, [spare]",
      "cmp byte ptr [spare], 0x34",
      "xchg eax, [spare]",
      "inc word ptr [spare + 8]",
      "mov eax, spare",
      "call next\nnext:",
      "push dword ptr [spare + 8]",
    ].join("\n"),
  );
  const memory = (text: string): string => {
    const found = /\[[0-9a-f]{8}->.*$/.exec(from(lines, text)[0]);
    return found === null ? "" : found[0].replaceAll(/\[[0-9a-f]+->/g, "[");
  };
  assert.match(memory("movsd"), /^\[[0-9a-f]+=1234 tlb=hit\] \[[0-9a-f]+ 0>1234 tlb=hit\]$/);
  assert.is(memory("lea eax"), "", "lea touches nothing");
  assert.match(memory("cmp byte"), /^\[[0-9a-f]+=34 tlb=hit\]$/);
  assert.match(memory("xchg"), /^\[[0-9a-f]+ 1234>12[0-9a-f]{4} tlb=hit\]$/);
  assert.match(memory("inc word"), /^\[[0-9a-f]+ 1234>1235 tlb=hit\]$/);
  assert.match(memory("call 0x"), /^\[[0-9a-f]+ [0-9a-f]+>10[0-9a-f]{4} tlb=hit\]$/);
  assert.match(memory("push dword"), /^\[[0-9a-f]+=1235 tlb=hit\] \[[0-9a-f]+ [0-9a-f]+>1235 tlb=hit\]$/);
});

test("what is no instruction gets a clear line", () => {
  const { lines } = traced(".byte 0x0f, 0x58, 0xc0\nud2\nnop");
  const [bad, why, handler] = from(lines, "(no instruction)");
  assert.match(bad, /body .* 0f 58 \(no instruction\)$/);
  assert.match(why, /!TRAP #UD invalid opcode: no instruction of this CPU begins with 0f 58 c0/);
  assert.match(handler, /undefined .*add dword ptr \[esp\], 3/);
  assert.match(from(lines, " ud2")[1], /!TRAP #UD invalid opcode: ud2$/);
});

test("a page fault is told with its address, between the fault and its handler", () => {
  const { lines } = traced("mov eax, [0x800000]\nmov ebx, 1");
  const [access, fault, handler] = from(lines, "mov eax, [0x800000]");
  assert.match(access, /mov eax, \[0x800000\] \[00800000->- tlb=miss\]$/, "it changed nothing");
  assert.match(fault, / r0 - !PF 0x00800000 kernel read, not present, error 0$/);
  assert.match(handler, /pageFault .*add esp, 4/);
});

test("system calls, marks and the process", () => {
  const { lines } = traced("xor ebx, ebx\nint 0x80\nmov edx, MARK_PORT\nmov eax, 0x03000007\nout dx, eax\nnop");
  const [int, trap, handler] = from(lines, " int 0x80");
  assert.match(int, /r0 - .*int 0x80$/);
  assert.match(trap, /!SYS /);
  assert.match(handler, /inc ebx ebx=0>1/);
  const [out, mark, next] = from(lines, "out dx, eax");
  assert.match(out, /r0 - /);
  assert.match(mark, /r0 p7 !SWITCH -1 > 7$/);
  assert.match(next, /r0 p7 .*nop$/);
});

test("the TLB is told of: CR3 loads, flushes, INVLPG, hits and misses", () => {
  // A second mapping of the same 4 MB, through which no code is fetched.
  const elsewhere = "0x40000000 + spare";
  const { lines } = traced(
    [
      "mov dword ptr [directory + 0x400], 0x83",
      `mov [${elsewhere}], eax`,
      `mov [${elsewhere}], ecx`,
      `invlpg [${elsewhere}]`,
      `mov [${elsewhere}], ebx`,
      "mov eax, cr3",
      "mov cr3, eax",
      `push dword ptr [${elsewhere}]`,
    ].join("\n"),
  );
  assert.match(from(lines, "invlpg [")[1], /!TLB invlpg 4012[0-9a-f]{4}$/);
  assert.match(from(lines, "], eax [40")[0], /tlb=miss\]$/);
  assert.match(from(lines, "], ecx [40")[0], /\[4012([0-9a-f]{4})->0012\1 0>[0-9a-f]+ tlb=hit\]$/);
  assert.match(from(lines, "], ebx [40")[0], /tlb=miss\]$/);
  assert.match(
    from(lines, "push dword")[0],
    /\[4012[^\]]* tlb=miss\] \[0012[^\]]* tlb=hit\]$/,
    "the stack lies where the code does",
  );
  const [, load, flush] = from(from(lines, "mov eax, cr3"), "mov cr3, eax");
  assert.match(load, /!CR3 00[0-9a-f]{6}$/);
  assert.match(flush, /!TLB flush$/);
});

test("repetitions of a string instruction are one line", () => {
  const { lines } = traced("mov ecx, 5\nmov edi, spare\nmov al, 0x41\nrep stosb\nnop");
  assert.match(
    from(lines, "rep stosb")[0],
    /f3 aa rep stosb \(5 times\) ecx=5>0 edi=[0-9a-f]+>[0-9a-f]+ \[[0-9a-f]+->[0-9a-f]+ 0>41 tlb=hit\]$/,
  );
});

test("every field can be switched off", () => {
  const only = (fields: Parameters<typeof traced>[1]) =>
    from(traced("mov ecx, 5\nadd [spare], ecx", fields).lines, "add [0x12");
  assert.match(only({ fields: ["code"] })[0], /^add \[0x12[0-9a-f]{4}\] <spare>, ecx$/);
  assert.match(only({ fields: ["instret", "code", "memory"] })[0], /^\d+ add .* \[[0-9a-f]{8}->[0-9a-f]{8} 0>5\]$/);
  assert.match(only({ fields: ["ring", "pid", "code", "flags"] })[0], /^r0 - add .*, ecx [czsop]f=\d/);
});

test("tracing changes neither counts nor memory", () => {
  const body =
    "mov ecx, 300\nagain: add eax, ecx\nmov [spare], eax\nint 0x80\nloop again\nmov ecx, 40\nmov edi, spare\nrep stosb";
  const { machine } = traced(body);
  const plain = new Machine({ memoryMB: 16 });
  plain.loadMultiboot(littleKernel(body));
  plain.run({ maxInstructions: 100_000 });
  assert.equal([machine.instret, machine.cycles], [plain.instret, plain.cycles]);
  assert.equal(machine.registers, plain.registers);
});

test("code that is overwritten is decoded anew", () => {
  const { lines } = traced("mov ecx, 2\nagain: nop\nmov byte ptr [again], 0x40\ndec ecx\njnz again", {
    fields: ["symbol", "bytes", "code"],
  });
  const first = from(lines, "90 nop");
  assert.match(from(first, "again 40")[0], /again 40 inc eax$/);
});

test("AT&T syntax", () => {
  const { lines } = traced("mov eax, 5", { syntax: "att" });
  assert.match(from(lines, "$5")[0], /mov \$5, %eax eax=0>5$/);
});

/** A machine that is to run `body`. */
function fresh(body: string): { machine: Machine; kernel: Uint8Array } {
  const kernel = littleKernel(body);
  const machine = new Machine({ memoryMB: 16 });
  machine.loadMultiboot(kernel);
  return { machine, kernel };
}

test("the last instructions of a run, and none before them", () => {
  const body = "mov ecx, 1000\nagain: dec ecx\njnz again";
  const { machine, kernel } = fresh(body);
  machine.run({ maxInstructions: 100_000 });
  const again = fresh(body);
  const until = machine.instret;
  const lines = lastLines(again.machine, { kernel, modules: [] }, { until, count: 10, spec: panicSpec() });
  const instructions = lines.filter((line) => !line.includes("!"));
  assert.is(instructions.length, 10);
  assert.match(instructions[9], /out 0xf4, al/);
  assert.match(instructions[7], /jnz 0x[0-9a-f]+ <again>/);
});

test("the instruction that the processor dies of is the last line", () => {
  const { machine, kernel } = fresh("lidt [spare]\nint3");
  assert.is(machine.run({ maxInstructions: 1000 }).reason, "tripleFault");
  const again = fresh("lidt [spare]\nint3");
  const until = machine.instret + 1;
  const lines = lastLines(again.machine, { kernel, modules: [] }, { until, count: 3, spec: panicSpec() });
  assert.match(lines.at(-1) ?? "", / int3$/);
});

test("a trace may begin in the middle, and end before the run does", () => {
  const { machine, kernel } = fresh("mov ecx, 1000\nagain: dec ecx\njnz again");
  const { tracer, lines } = tracerOf(machine, kernel, [], { filter: { from: 500, to: 510 } });
  assert.is(tracer.nextBoundary(), 500);
  for (; !tracer.isDone; tracer.atBoundary()) machine.run({ maxInstructions: tracer.nextBoundary() - machine.instret });
  assert.is(machine.instret, 510);
  assert.equal(
    lines.map((line) => Number.parseInt(line, 10)),
    [500, 501, 502, 503, 504, 505, 506, 507, 508, 509],
  );
});

test.run();
