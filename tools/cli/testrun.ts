/**
 * What `tine test` does: guest test programs, each booted for itself, and their cases on stdout. May import tools/image, tools/lab,
 * picocolors and the rest of tools/cli.
 */
import pc from "picocolors";
import type { BuiltAll } from "../image/build";
import { readTar } from "../image/ustar";
import { readTap } from "../lab/tap";
import { type DiskOptions, diskFor, swapWords } from "./disk";
import { CliError, ExitCode } from "./exitcodes";
import { builtImages } from "./images";
import { auditInterval } from "./options";
import { outcome } from "./outcome";
import { Progress } from "./progress";
import { PANIC_TRACE, Session, type SessionSpec } from "./session";

const MODES = ["copy", "share", "auto"] as const;
const FOLDER = "tests/";

export interface TestOptions extends DiskOptions {
  mem: number;
  budget: number;
  fork?: string;
  tlb: NonNullable<SessionSpec["tlb"]>;
  cpu: NonNullable<SessionSpec["cpu"]>;
  audit?: boolean;
  auditEvery?: number;
}

/** Boots one test program; prints its cases; returns how many passed and failed, and whether an audit found something. */
async function runTests(
  images: BuiltAll,
  name: string,
  mode: string,
  options: TestOptions,
): Promise<{ passed: number; failed: number; disorder: boolean }> {
  let output = "";
  const session = new Session({ serial: (bytes) => (output += Buffer.from(bytes).toString("latin1")) });
  try {
    session.start({
      ...diskFor(options),
      memoryMB: options.mem,
      kernel: images.kernel,
      kernelName: "kernel.elf",
      commandLine: `quiet poison=on fork=${mode} ${swapWords(options)}init=/bin/init -- /${FOLDER}${name}`,
      modules: [images.initrd],
      maxInstructions: options.budget,
      input: "none",
      last: { count: PANIC_TRACE, when: "panic" },
      tlb: options.tlb,
      cpu: options.cpu,
      auditEvery: auditInterval(options),
    });
    const result = await session.result;
    const cases = readTap(output);
    const { code, line } = outcome(result);
    if (result.end.reason === "audit" || (code !== 0 && cases.every(({ ok }) => ok))) {
      cases.push({
        name: line ?? `the program ended with status ${code}`,
        ok: false,
        notes: [...result.audit, ...result.last],
      });
    }
    for (const { name: caseName, ok, notes } of cases) {
      process.stdout.write(`${ok ? pc.green("ok") : pc.red("FAILED")} ${name} fork=${mode}: ${caseName}\n`);
      if (!ok) for (const note of notes) process.stdout.write(`  | ${note}\n`);
    }
    const passed = cases.filter(({ ok }) => ok).length;
    return { passed, failed: cases.length - passed, disorder: result.end.reason === "audit" };
  } finally {
    await session.close();
  }
}

/** Runs all programs whose name contains `name`, and sets the process's exit code. Throws CliError when there is none. */
export async function runAllTests(name: string | undefined, options: TestOptions): Promise<void> {
  if (options.fork !== undefined && !MODES.some((mode) => mode === options.fork)) {
    throw new CliError(`--fork wants ${MODES.join(", ")}, not '${options.fork}'`);
  }
  const images = await builtImages();
  const all = readTar(images.initrd, "initrd.tar").filter(
    (file) => file.name.startsWith(FOLDER) && file.data.length > 0,
  );
  const names = all.map((file) => file.name.slice(FOLDER.length)).filter((each) => each.includes(name ?? ""));
  if (names.length === 0) throw new CliError(`no guest test program is named like '${name}'`);
  const total = { passed: 0, failed: 0, disorder: false };
  const progress = new Progress();
  for (const each of names) {
    for (const mode of MODES.filter((one) => options.fork === undefined || one === options.fork)) {
      progress.update(`${each}, fork=${mode}`);
      const { passed, failed, disorder } = await runTests(images, each, mode, options);
      progress.clear();
      total.passed += passed;
      total.failed += failed;
      total.disorder ||= disorder;
    }
  }
  process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`);
  if (total.failed > 0) process.exitCode = total.disorder ? ExitCode.Panic : ExitCode.Failed;
}
