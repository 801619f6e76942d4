import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CompileError, compileKernel, compileProgram, findRoot } from "../../tools/compiler/index";
import { Symbols } from "../../tools/image/symbols";
import { needCommand, skip } from "../skip";
import { runTool, withFolder } from "./objects";

const test = suite("compiler/driver");

let builtKernel: Promise<Uint8Array> | undefined;
function kernel(): Promise<Uint8Array> {
  builtKernel ??= compileKernel();
  return builtKernel;
}

/** Line behind the head of a function of a source, from 1. */
function bodyLine(file: string, name: string): number {
  const lines = readFileSync(path.join(findRoot(), file), "utf8").split("\n");
  return lines.findIndex((line) => line.startsWith(`export function ${name}(`)) + 2;
}

test("the kernel is a multiboot-1 image at 0xC0100000 with a physical entry", async () => {
  const elf = await kernel();
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  const words = Array.from({ length: 2048 }, (_, i) => view.getUint32(4 * i, true));
  const header = words.indexOf(0x1badb002);
  assert.ok(header >= 0, "the multiboot header is within the first 8 KB");
  assert.is((words[header] + words[header + 1] + words[header + 2]) >>> 0, 0);
  const entry = view.getUint32(24, true);
  assert.ok(entry >= 0x100000 && entry < 0x200000, entry.toString(16));
  const symbols = new Symbols(elf);
  assert.is(symbols.address("_start"), entry + 0xc0000000);
  assert.is(symbols.address("__text_start"), 0xc0100000);
  for (const name of ["kernelMain", "trapDispatch", "copyPageRange", "__ksyms", "__image_end"]) {
    assert.ok((symbols.address(name) ?? 0) > 0xc0100000, name);
  }
});

test("a function begins at the line of its declaration", async () => {
  const symbols = new Symbols(await kernel());
  const place = symbols.line(symbols.address("copyPageRange")!)!;
  assert.is(place.file, "kernel/mm/memory.ts");
  assert.is(place.line, bodyLine("kernel/mm/memory.ts", "copyPageRange") - 1);
});

test("readelf and objdump read the kernel without complaint", async () => {
  needCommand("readelf");
  needCommand("objdump");
  const elf = await kernel();
  await withFolder((folder) => {
    const file = path.join(folder, "kernel.elf");
    writeFileSync(file, elf);
    runTool("readelf", ["-aW", file]);
    runTool("readelf", ["-w", file]);
    assert.match(runTool("objdump", ["-d", "-l", file]), /kernel\/mm\/memory\.ts:\d+/);
  });
});

test("gdb breaks at a line of memory.ts and lists it", async () => {
  needCommand("gdb");
  const elf = await kernel();
  await withFolder((folder) => {
    const file = path.join(folder, "kernel.elf");
    writeFileSync(file, elf);
    const line = bodyLine("kernel/mm/memory.ts", "copyPageRange");
    const commands = [
      `break mm/memory.ts:${line}`,
      "list copyPageRange",
      "break copyPageRange",
      "info line handleMmFault",
    ];
    const output = runTool("gdb", ["-nx", "-batch", ...commands.flatMap((one) => ["-ex", one]), file], findRoot());
    assert.match(output, /Breakpoint 1 at 0xc01[0-9a-f]+: file kernel\/mm\/memory\.ts, line \d+\./);
    assert.match(output, /\n\d+\s+export function copyPageRange/);
    assert.match(output, /Breakpoint 2 at 0xc01[0-9a-f]+: file kernel\/mm\/memory\.ts/);
    assert.match(output, /Line \d+ of "kernel\/mm\/fault\.ts"/);
  });
});

test("the same sources make the same file", async () => {
  assert.equal(await compileKernel(), await kernel());
});

test("it does not matter where the sources lie: a program of a tree elsewhere is the same file", () =>
  withFolder(async (folder) => {
    const root = path.join(folder, "a/clone/in/a/folder/with/a/long/name");
    for (const part of ["userland", "kernel/abi"])
      cpSync(path.join(findRoot(), part), path.join(root, part), { recursive: true });
    const source = "userland/bin/hello.ts";
    const [here, there] = await Promise.all(
      [findRoot(), root].map((of) => compileProgram(path.join(of, source), { root: of })),
    );
    assert.ok(Buffer.from(here).equals(there), `${here.length} and ${there.length} bytes`);
  }));

test("a program outside the tree imports tine and its own files", () =>
  withFolder(async (folder) => {
    if (process.platform !== "linux" || process.arch !== "x64") skip("the host is not x86-64 Linux");
    mkdirSync(path.join(folder, "parts"));
    writeFileSync(path.join(folder, "parts/index.ts"), "export function twice(x: u32): u32 { return x * 2; }");
    const main = path.join(folder, "mine.ts");
    const source = [
      'import { cstr, printf } from "tine";',
      'import { twice } from "./parts";',
      "export function main(argc: i32, _argv: usize, _envp: usize): i32 {",
      '  printf(cstr("twice %d is %d\\n"), argc, twice(argc));',
      "  return 3;",
      "}",
    ];
    writeFileSync(main, source.join("\n"));
    const file = path.join(folder, "mine");
    writeFileSync(file, await compileProgram(main), { mode: 0o755 });
    try {
      execFileSync(file, ["a", "b"], { encoding: "utf8" });
      assert.unreachable("its status is 3");
    } catch (error) {
      const { stdout, status } = error as { stdout: string; status: number };
      assert.is(stdout, "twice 3 is 6\n");
      assert.is(status, 3);
    }
    const symbols = new Symbols(new Uint8Array(readFileSync(file)));
    assert.is(symbols.line(symbols.address("main")!)?.file, main);
  }));

test("data that outgrows its room gets more", () =>
  withFolder(async (folder) => {
    const names = Array.from({ length: 400 }, (_, i) => `g${i}`);
    const source = [
      ...names.map((name, i) => `let ${name}: u32 = ${i};`),
      `function change(by: u32): void {\n${names.map((name) => `  ${name} += by;`).join("\n")}\n}`,
      "export function main(argc: i32, _argv: usize, _envp: usize): i32 {",
      "  change(argc);",
      `  return ((${names.join(" + ")}) % 251) as i32;`,
      "}",
    ];
    const file = path.join(folder, "many.ts");
    writeFileSync(file, source.join("\n"));
    const symbols = new Symbols(await compileProgram(file));
    const addresses = names.map((name) => symbols.address(name)!);
    assert.is(new Set(addresses).size, 400);
    assert.ok(Math.max(...addresses) < symbols.address("__bss_start")!);
  }));

async function mistake(source: string): Promise<string> {
  return withFolder(async (folder) => {
    const file = path.join(folder, "bad.ts");
    writeFileSync(file, source);
    try {
      await compileProgram(file);
    } catch (error) {
      if (error instanceof CompileError) return error.message.replace(folder, "");
      throw error;
    }
    throw new Error("it compiled");
  });
}

const MAIN = "export function main(argc: i32, _argv: usize, _envp: usize): i32";

test("mistakes are one line with file and line", async () => {
  assert.match(await mistake(`${MAIN} {\n  return x;\n}`), /^\/bad\.ts:2:10: Cannot find name 'x'\.$/);
  assert.match(
    await mistake(`${MAIN} {\n  const wide: i64 = 3 * i64(argc);\n  return i32(wide % 77);\n}`),
    /^\/bad\.ts:2:15: 64-bit and floating-point types are not supported/,
  );
  assert.match(
    await mistake(
      `function same(a: string, b: string): bool {\n  return a == b;\n}\n${MAIN} {\n  return i32(same("a", "b"));\n}`,
    ),
    /^\/bad\.ts:2:10: this uses AssemblyScript's library: a? ?64-bit/,
  );
  assert.match(
    await mistake(`export declare function nowhere(a: i32): i32;\n${MAIN} {\n  return nowhere(argc);\n}`),
    /^\/bad\.ts:3: undefined symbol "nowhere"/,
  );
  assert.match(await mistake("export function other(): i32 { return 1; }"), /^\/bad\.ts: exports no function main/);
  assert.match(
    await mistake('import { a } from "elsewhere";\nexport function main(): i32 { return a; }'),
    /^\/bad\.ts:1:19: /,
  );
});

test.run();
