import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ImageCache } from "../../tools/image/cache";
import { withFolder } from "../compiler/objects";

const test = suite("image/cache");

/** A project whose images are made from a.ts, which imports b.ts; c.ts is looked for in vain. */
function makeProject(root: string) {
  for (const folder of ["tools/compiler", "userland/lib", "kernel"])
    mkdirSync(path.join(root, folder), { recursive: true });
  const write = (file: string, text: string) => writeFileSync(path.join(root, file), text);
  write("tools/compiler/pass.ts", "1");
  write("a.ts", "a");
  write("b.ts", "b");
  let builds = 0;
  const build = async () => {
    builds++;
    const files = new Map<string, string | undefined>([
      [path.join(root, "a.ts"), "a"],
      [path.join(root, "b.ts"), "b"],
      [path.join(root, "c.ts"), undefined],
    ]);
    return { elf: Uint8Array.of(1, 2, builds), files };
  };
  /** Asks a fresh cache, as a new process would. */
  const get = (name = "a.ts") => new ImageCache(root).get(name, build);
  return { write, get, count: () => builds };
}

test("an unchanged image is built once and comes back as it was", () =>
  withFolder(async (root) => {
    const { get, count } = makeProject(root);
    assert.equal(await get(), Uint8Array.of(1, 2, 1));
    assert.equal(await get(), Uint8Array.of(1, 2, 1));
    assert.is(count(), 1);
  }));

const CHANGES: Record<string, string> = {
  "a source": "b.ts",
  "a file that was looked for": "c.ts",
  "the compiler": "tools/compiler/pass.ts",
  "a new assembly file": "userland/lib/new.s",
};

for (const [title, file] of Object.entries(CHANGES)) {
  test(`a change of ${title} makes it stale`, () =>
    withFolder(async (root) => {
      const { write, get, count } = makeProject(root);
      await get();
      write(file, "changed");
      await get();
      assert.is(count(), 2);
    }));
}

test("two images do not mix", () =>
  withFolder(async (root) => {
    const { get, count } = makeProject(root);
    await get("a.ts");
    await get("other.ts");
    assert.is(count(), 2);
    assert.equal(await get("a.ts"), Uint8Array.of(1, 2, 1));
  }));

test("the oldest images are forgotten when there are many", () =>
  withFolder(async (root) => {
    const { get, count } = makeProject(root);
    for (let i = 0; i < 201; i++) await get(`program${i}.ts`);
    assert.ok(readdirSync(path.join(root, "dist/cache")).length <= 202);
    await get("program200.ts");
    assert.is(count(), 201);
  }));

test("a damaged list is built again, and no draft is left behind", () =>
  withFolder(async (root) => {
    const { get, count } = makeProject(root);
    await get();
    const folder = path.join(root, "dist/cache");
    const names = readdirSync(folder);
    assert.is(names.length, 2);
    const list = names.find((name) => name.endsWith(".json"))!;
    writeFileSync(path.join(folder, list), "{ not json");
    await get();
    assert.is(count(), 2);
  }));

test.run();
