/** Binary traces: as text they are the text trace; their size; where two of them part; files that are damaged. */
import { readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Machine } from "../../cpu/index";
import { BinarySink, BinaryTrace } from "../../tools/trace/binary";
import { ChunkFileError } from "../../tools/trace/chunks";
import { type DiffBy, DiffSink, firstDifference } from "../../tools/trace/diff";
import type { TraceEvent } from "../../tools/trace/eventtypes";
import { ALL_LETTERS, FIELDS, NO_FILTER, type TraceFilter } from "../../tools/trace/filter";
import { TextFormat } from "../../tools/trace/format";
import type { Step } from "../../tools/trace/step";
import { Tracer, type TraceSink } from "../../tools/trace/tracer";
import { withFiles } from "../cli/tine";
import { littleKernel } from "./little";
import { initrd, kernel, machineOf } from "./scenes";

const test = suite("trace/binary");

const format = new TextFormat({ fields: new Set(FIELDS), syntax: "intel", where: true });

/** Traces a machine into a file, and tells `text` the same; returns how many instructions there were. */
function traceTo(path: string, machine: Machine, elf: Uint8Array, filter: TraceFilter, text?: TraceSink): number {
  const binary = new BinarySink(path, { command: "scenes", where: true });
  let steps = 0;
  const sink = {
    step: (step: Step) => {
      steps++;
      text?.step(step);
      binary.step(step);
    },
    event: (event: TraceEvent, where: string) => {
      text?.event(event, where);
      binary.event(event, where);
    },
  };
  const tracer = new Tracer(machine, { kernel: elf, modules: [initrd], filter, sink, memory: true });
  machine.run({ maxInstructions: 3e6 });
  tracer.end();
  binary.close(machine.instret);
  return steps;
}

/** A sink that keeps lines of text. */
function textSink(): { lines: string[]; sink: TraceSink } {
  const lines: string[] = [];
  const sink = {
    step: (step: Step) => void lines.push(format.step(step)),
    event: (event: TraceEvent, where: string) => void lines.push(format.event(event, where)),
  };
  return { lines, sink };
}

/** Traces a machine in both forms: the text's lines. */
function traceBoth(path: string, machine: Machine, elf: Uint8Array, filter: TraceFilter): string[] {
  const { lines, sink } = textSink();
  traceTo(path, machine, elf, filter, sink);
  return lines;
}

function linesOf(path: string): string[] {
  const { lines, sink } = textSink();
  for (const _ of new BinaryTrace(path).readInto(sink));
  return lines;
}

/** A trace of the scenes from the program's start on. */
const FILTER = { ...NO_FILTER, letters: ALL_LETTERS, after: "exec:scenes" };

test("read back it is the text trace, line for line, with every kind of event", () => {
  withFiles({}, (folder) => {
    const path = join(folder, "scenes.trc");
    const lines = traceBoth(path, machineOf(), kernel, FILTER);
    assert.ok(lines.length > 50_000);
    const back = linesOf(path);
    const differing = back.findIndex((line, i) => line !== lines[i]);
    assert.is(differing, -1, `line ${differing}:\n${lines[differing]}${back[differing]}`);
    assert.is(back.length, lines.length);
  });
});

test("also from the first instruction, before paging, and of odd instructions", () => {
  withFiles({}, (folder) => {
    const body = [
      "mov ecx, 5\nmov edi, spare\nmov esi, spare + 3\nrep movsb\npushad\npopad\nenter 8, 0\nleave\npushfd\npopfd",
      "mov eax, [0x800000]\nud2\n.byte 0x0f, 0x58, 0xc0\nint 0x80\nmov dword ptr [spare + 6], 0x12345678",
      "add qword_, 0\nxchg ah, [spare]\nbts [spare], ecx\nmov ax, [spare + 1]\ncmpxchg8b [spare]\nfld1\nfstp tbyte ptr [spare]",
    ]
      .join("\n")
      .replace("add qword_, 0\n", "");
    const path = join(folder, "little.trc");
    const elf = littleKernel(body);
    const machine = new Machine({ memoryMB: 16 });
    machine.loadMultiboot(elf);
    const lines = traceBoth(path, machine, elf, NO_FILTER);
    assert.ok(lines.some((line) => line.includes("fstp tbyte")));
    assert.equal(linesOf(path), lines);
  });
});

test("at most 6 bytes an instruction of kernel code, all that it holds counted", () => {
  withFiles({}, (folder) => {
    const path = join(folder, "forks.trc");
    const machine = machineOf("forkstorm 20");
    const steps = traceTo(path, machine, kernel, { ...NO_FILTER, letters: "kxtipsm", after: "exec:forkstorm" });
    const bytes = statSync(path).size / steps;
    assert.ok(steps > 100_000 && bytes <= 6, `${bytes.toFixed(2)} bytes for each of ${steps} instructions`);
  });
});

/** Where two traces part. */
function difference(one: string, two: string, by: DiffBy) {
  const source = (path: string) => {
    const sink = new DiffSink(FIELDS, by);
    return { sink, more: new BinaryTrace(path).readInto(sink) };
  };
  return firstDifference(source(one), source(two));
}

test("two runs: where they part, by function and source line", () => {
  withFiles({}, (folder) => {
    const path = (name: string) => join(folder, name);
    const filter = { ...NO_FILTER, letters: "ku", after: "fork#2" };
    traceTo(path("share"), machineOf("scenes"), kernel, filter);
    traceTo(path("again"), machineOf("scenes"), kernel, filter);
    traceTo(path("copy"), machineOf("scenes", { words: "fork=copy" }), kernel, filter);
    assert.is(difference(path("share"), path("again"), "instruction"), undefined);
    const found = difference(path("share"), path("copy"), "function");
    assert.ok(found?.first !== undefined && found.second !== undefined);
    assert.ok(found.first.function !== found.second.function, "they go through other functions");
    assert.match(found.first.source, /^kernel\/.*\.ts:\d+$/);
  });
});

test("one changed instruction is found where it is", () => {
  withFiles({}, (folder) => {
    const path = (name: string) => join(folder, name);
    const traceOf = (name: string, body: string) => {
      const elf = littleKernel(body);
      const machine = new Machine({ memoryMB: 16 });
      machine.loadMultiboot(elf);
      traceTo(path(name), machine, elf, NO_FILTER);
    };
    const body = (value: number) => `mov ecx, 50\nagain: add [spare], ecx\ndec ecx\njnz again\nmov eax, ${value}\nnop`;
    traceOf("one", body(5));
    traceOf("two", body(6));
    const found = difference(path("one"), path("two"), "instruction");
    assert.match(found?.first?.text ?? "", /mov eax, 5 .*=.*>5/);
    assert.match(found?.second?.text ?? "", /mov eax, 6 .*=.*>6/);
    assert.match(found?.common.at(-1) ?? "", /jnz/);
    assert.match(found?.first?.source ?? "", /^kernel\/little\.s:\d+$/);
    traceOf("short", "mov ecx, 50\nagain: add [spare], ecx\ndec ecx\njnz again\nmov eax, 5\nnop");
    assert.is(difference(path("one"), path("short"), "line"), undefined);
  });
});

test("what is no binary trace, or a damaged one, is told in one line", () => {
  withFiles({ text: "hello\n" }, (folder) => {
    const path = join(folder, "good.trc");
    const lines = traceBoth(path, machineOf(), kernel, { ...FILTER, until: "fork:3" });
    const reason = (name: string): string => {
      try {
        linesOf(join(folder, name));
        return "";
      } catch (error) {
        assert.ok(error instanceof ChunkFileError, String(error));
        return error.message.slice(folder.length + 1);
      }
    };
    assert.is(reason("text"), "text: not a binary trace");
    const bytes = readFileSync(path);
    for (let i = 100; i < bytes.length; i += 1 + (bytes.length >> 5)) {
      const turned = Buffer.from(bytes);
      turned[i] ^= 0x10;
      writeFileSync(join(folder, "turned"), turned);
      assert.match(reason("turned"), /^$|^turned: (damaged|truncated)/, `byte ${i}`);
    }
    truncateSync(path, bytes.length - 5);
    assert.not.ok(new BinaryTrace(path).isWhole);
    assert.equal(linesOf(path), lines, "the data are all there yet");
  });
});

test.run();
