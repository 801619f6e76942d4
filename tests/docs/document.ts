/**
 * Documents that are run: what a reader of README.md or docs/ may type is found in them by its fence, run, and compared.
 * May import Node only.
 *
 *   ```console   `$ command` lines, each followed by exactly what it prints on stdout; run in order
 *   ```ts NAME   a file of that name for the commands below it; ```js and ```mjs likewise
 *   ```sh        commands that other tests or CI run: each must be in COVERED
 *
 * Each document gets a folder of its own, in which `tine` is the one of this clone and `tine386` is this package.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Commands of ```sh blocks, and what runs each of them. */
const COVERED: Record<string, string> = {
  "npm ci && npm start": "tests/system/demo and CI",
  "npm ci && npm test": "CI",
  "npm test": "CI",
  "npm run check": "tests/docs/check",
  "npm run bench": "tests/bench",
  "npm run bench -- --only alu,faults --repeat 9": "tests/bench, with one guest",
  "npm run bench -- --peers ours,v86 --quick": "tests/bench, with one guest",
  "npm run bench -- --clock cpu": "tests/bench, with one guest",
  "npm run bench -- --only startup": "by hand: it is a figure",
  "npm run bench -- --only trace": "by hand: they are figures",
  "npm run bench -- --only hooks --repeat 10": "by hand: they are figures",
  "npm run bench -- --kernel": "by hand: it takes minutes",
  "npm run bench -- --json": "tests/bench, with one guest",
  "npm run bench:fork": "tests/system/forkfigures, in part",
  "npm run bench:fork -- --quick": "tests/system/forkfigures",
  "npm run bench:fork -- --write": "tests/system/forkfigures",
  "npm run fuzz:mm -- --seeds 1000": "tests/fuzz/mm",
  "npm run fuzz:mm -- --seeds 2000 --first 1 --jobs 2": "tests/fuzz/mm",
  "npm run fuzz:mm -- --print 17": "tests/fuzz/mm",
  "npm run fuzz:mm -- --case tests/fuzz/mmcases/reclaim-all.case": "tests/fuzz/mm",
  "npm run conform:host -- --steps 1000000 --seed 1": "tests/cpu/hostconform",
  "npm run conform:host -- --steps 100000 --rows '^(shl|shr|sar)$'": "tests/cpu/hostconform",
  "npm run conform:decoder -- --count 5000000 --seed 1": "tests/cpu/decoder",
  "npm run conform:qemu -- --cases 40000 --seed 1": "tests/cpu/ring0",
  "npm run fuzz:cpu -- --instructions 10000000 --seed 1": "tests/cpu/fuzz/fuzz",
  "npx tine boot": "tests/cli/terminal",
  "npx tine lab list": "tests/lab/run",
  "npx tine lab run forktime --sizes 400K,4M": "tests/lab/run, with an experiment of its own",
  "npx tine lab run all --out results": "by hand: it takes minutes",
  "npx tine lab report results --html report.html": "tests/lab/report",
  "npx tine lab loop": "tests/system/baseline",
  'qemu-system-i386 -m 512 -kernel dist/kernel.elf -initrd dist/initrd.tar -append "fork=share init=/bin/forkdemo" -device isa-debug-exit,iobase=0xf4,iosize=4 -serial stdio -display none':
    "tests/system/qemu",
};

/** A `$ command` with what the document says that it prints. */
export interface Example {
  command: string;
  expected: string;
  /** Line of the command in the document, from 1. */
  line: number;
}

interface Fence {
  language: string;
  name: string;
  body: string[];
  line: number;
}

function fences(text: string): Fence[] {
  const found: Fence[] = [];
  let open: Fence | undefined;
  for (const [index, line] of text.split("\n").entries()) {
    if (!line.startsWith("```")) open?.body.push(line);
    else if (open) {
      found.push(open);
      open = undefined;
    } else {
      const [language = "", name = ""] = line.slice(3).split(" ");
      open = { language, name, body: [], line: index + 2 };
    }
  }
  return found;
}

/** The `$ command` examples of one console block. */
function examplesOf({ body, line }: Fence): Example[] {
  const examples: Example[] = [];
  for (const [index, text] of body.entries()) {
    const last = examples.at(-1);
    if (text.startsWith("$ ")) examples.push({ command: text.slice(2), expected: "", line: line + index });
    else if (last) last.expected += `${text}\n`;
  }
  return examples;
}

/** One document, ready to run. */
export class Document {
  private readonly fences: Fence[];
  readonly examples: Example[];
  /** Commands of ```sh blocks that nothing is known to run. */
  readonly uncovered: string[];

  constructor(
    readonly path: string,
    private readonly root: string,
  ) {
    this.fences = fences(readFileSync(join(root, path), "utf8"));
    this.examples = this.fences.filter(({ language }) => language === "console").flatMap(examplesOf);
    this.uncovered = this.fences
      .filter(({ language }) => language === "sh")
      .flatMap(({ body }) =>
        body.map((line) => line.replace(/\s+#.*$/, "")).filter((line) => line !== "" && !line.startsWith("#")),
      )
      .filter((command) => COVERED[command] === undefined);
  }

  /** Runs every example in a new folder; returns what each printed. */
  run(): string[] {
    const folder = mkdtempSync(join(tmpdir(), "tine-docs-"));
    try {
      mkdirSync(join(folder, "node_modules"));
      symlinkSync(this.root, join(folder, "node_modules/tine386"));
      for (const { language, name, body } of this.fences) {
        if (name !== "" && ["ts", "js", "mjs"].includes(language))
          writeFileSync(join(folder, name), `${body.join("\n")}\n`);
      }
      return this.examples.map(({ command }) => this.runCommand(command, folder));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  private runCommand(command: string, folder: string): string {
    const tine = `"${process.execPath}" "${join(this.root, "tools/cli/tine.mjs")}"`;
    const shell = command.replace(/\bnpx tine\b/g, tine);
    const { stdout } = spawnSync("bash", ["-c", shell], {
      cwd: folder,
      encoding: "utf8",
      input: "",
      env: { ...process.env, NO_COLOR: "1" },
      timeout: 240_000,
    });
    // A machine's serial line ends its lines with CR LF; a document cannot show that.
    return stdout.replaceAll("\r\n", "\n");
  }

  /** The document's text with what the examples print now. */
  updated(outputs: readonly string[]): string {
    const lines = readFileSync(join(this.root, this.path), "utf8").split("\n");
    for (const [index, { line, expected }] of [...this.examples.entries()].reverse()) {
      const printed = (outputs[index] ?? "").replace(/\n$/, "").split("\n");
      lines.splice(line, expected.split("\n").length - 1, ...(outputs[index] === "" ? [] : printed));
    }
    return lines.join("\n");
  }
}
