import { cpSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findRoot } from "../../tools/compiler/index";
import { buildAll, listPrograms } from "../../tools/image/build";
import { buildUserProgram } from "../../tools/image/program";
import { Symbols } from "../../tools/image/symbols";
import { readTar } from "../../tools/image/ustar";
import { withFolder } from "../compiler/objects";

const test = suite("image/build");

const PROGRAMS = ["bin/forkdemo", "bin/hello", "bin/init", "tests/fault"];
const PARTS = [
  "package.json",
  "package-lock.json",
  "kernel",
  "userland/lib",
  "userland/tests/support",
  "tools/compiler",
];

/** A copy of what images are made from, with a few programs, so that the test may change it. */
function copyTree(folder: string): void {
  for (const part of [...PARTS, ...PROGRAMS.map((name) => `userland/${name}.ts`)]) {
    cpSync(path.join(findRoot(), part), path.join(folder, part), { recursive: true });
  }
}

test("everything is built, then only what changed", () =>
  withFolder(async (root) => {
    copyTree(root);
    const steps: string[] = [];
    const build = () => {
      steps.length = 0;
      return buildAll(path.join(root, "out"), { root, progress: (text) => steps.push(text) });
    };
    const first = await build();
    const names = listPrograms(root).map(({ name }) => name);
    assert.equal(names, PROGRAMS);
    assert.equal(steps, ["kernel", ...names]);
    const files = readTar(first.initrd, "initrd.tar");
    assert.equal(
      files.map(({ name, mode }) => [name, mode]),
      names.map((name) => [name, 0o755]),
    );
    for (const { data } of files) assert.is(new Symbols(data).address("_start"), 0x08048000);
    assert.equal(new Uint8Array(readFileSync(path.join(root, "out/kernel.elf"))), first.kernel);
    assert.equal(new Uint8Array(readFileSync(path.join(root, "out/initrd.tar"))), first.initrd);

    const again = await build();
    assert.equal(steps, []);
    assert.equal(again, first);
    const images = () => readdirSync(path.join(root, "dist/cache")).filter((name) => name.endsWith(".elf")).length;
    const made = images();
    const alone = await buildUserProgram(path.join(root, "userland/bin/hello.ts"), { root });
    assert.equal(alone, files.find(({ name }) => name === "bin/hello")?.data);
    assert.is(images(), made, "a program of the tree asked for by itself is not compiled again");

    const hello = path.join(root, "userland/bin/hello.ts");
    writeFileSync(hello, readFileSync(hello, "utf8").replace("hello, world", "good morning"));
    const changed = await build();
    assert.equal(steps, ["bin/hello"]);
    assert.equal(changed.kernel, first.kernel);
    assert.ok(new TextDecoder("latin1").decode(changed.initrd).includes("good morning"));
  }));

/** What is in a folder, with the time of the last change of each file and which file it is. */
function listing(folder: string): string[] {
  return readdirSync(folder)
    .sort()
    .map((name) => {
      const { ino, ctimeMs } = statSync(path.join(folder, name));
      return `${name} ${ino} ${ctimeMs}`;
    });
}

test("nothing is written when nothing changed, and every change is noticed, with a stamp and without", () =>
  withFolder(async (root) => {
    copyTree(root);
    const steps: string[] = [];
    const out = path.join(root, "out");
    const build = async (settled: boolean) => {
      const { now } = Date;
      steps.length = 0;
      // As if the sources had been at rest: a stamp is written then, and believed.
      if (settled) Date.now = () => now() + 10_000;
      try {
        return await buildAll(out, { root, progress: (text) => steps.push(text) });
      } finally {
        Date.now = now;
      }
    };
    const first = await build(false);
    const before = listing(out);
    for (const settled of [false, true, true, true]) {
      assert.equal(await build(settled), first);
      assert.equal(steps, []);
      assert.equal(listing(out), before);
    }
    assert.ok(readdirSync(path.join(root, "dist/cache")).some((name) => name.endsWith(".stamp")));

    const hello = path.join(root, "userland/bin/hello.ts");
    const text = readFileSync(hello, "utf8");
    const { atime, mtime } = statSync(hello);
    writeFileSync(hello, text.replace("hello, world", "hello, moon!"));
    utimesSync(hello, atime, mtime);
    const changed = await build(true);
    assert.equal(steps, ["bin/hello"]);
    assert.ok(new TextDecoder("latin1").decode(changed.initrd).includes("hello, moon!"));
    assert.equal(new Uint8Array(readFileSync(path.join(out, "initrd.tar"))), changed.initrd);

    writeFileSync(path.join(root, "userland/bin/added.ts"), text);
    const added = await build(true);
    assert.equal(steps, ["bin/added"]);
    rmSync(path.join(root, "userland/bin/added.ts"));
    assert.equal((await build(true)).initrd, changed.initrd);
    assert.ok(added.initrd.length > changed.initrd.length);

    for (const name of ["kernel.elf", "initrd.tar", "kernel.layout.json"]) {
      const file = path.join(out, name);
      const contents = readFileSync(file);
      rmSync(file);
      await build(true);
      assert.ok(readFileSync(file).equals(contents), `${name} removed`);
      writeFileSync(file, "damaged");
      await build(true);
      assert.ok(readFileSync(file).equals(contents), `${name} damaged`);
    }
    assert.equal(steps, []);
  }));

test("a program of one's own is built once", () =>
  withFolder(async (root) => {
    copyTree(root);
    await withFolder(async (folder) => {
      const file = path.join(folder, "mine.ts");
      writeFileSync(
        file,
        'import { cstr, printf } from "tine";\nexport function main(): i32 { printf(cstr("x")); return 0; }',
      );
      const elf = await buildUserProgram(file, { root });
      const start = performance.now();
      assert.equal(await buildUserProgram(file, { root }), elf);
      assert.ok(performance.now() - start < 1000);
    });
  }));

test.run();
