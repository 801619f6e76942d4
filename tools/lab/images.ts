/**
 * What the points of an experiment boot: the kernel as it is, and an initrd of its own with init, its program and what else it names, so that no other
 * program can move a figure. May import tools/image.
 */
import path from "node:path";
import { buildUserProgram } from "../image/program";
import { buildInitrd, type TarFile } from "../image/ustar";
import type { Experiment, Values } from "./experiment";

const INIT = "userland/bin/init.ts";
const EXECUTABLE = 0o755;
const READABLE = 0o644;

/** Compiled programs by experiment, so that each is made once; the files of a point are added to them. */
export class Initrds {
  private readonly programs = new Map<string, Promise<TarFile[]>>();

  /** `root`: where sources are named from. */
  constructor(
    private readonly root: string,
    private readonly progress: (text: string) => void = () => {},
  ) {}

  /** The initrd of a point. Throws CompileError, or Node's error for a source that cannot be read. */
  async get(experiment: Experiment, values: Values): Promise<Uint8Array> {
    const programs = this.programs.get(experiment.name) ?? this.compile(experiment);
    this.programs.set(experiment.name, programs);
    const files = Object.entries(experiment.files?.(values) ?? {}).map(([name, text]) => ({
      name,
      data: new TextEncoder().encode(text),
      mode: READABLE,
    }));
    return buildInitrd([...(await programs), ...files]);
  }

  private async compile({ name, program, others = [] }: Experiment): Promise<TarFile[]> {
    const files: TarFile[] = [];
    for (const source of [INIT, ...others, program]) {
      const as = source === program ? name : path.basename(source, ".ts");
      this.progress(`building ${as}`);
      const data = await buildUserProgram(path.resolve(this.root, source), { root: this.root });
      files.push({ name: `bin/${as}`, data, mode: EXECUTABLE });
    }
    return files;
  }
}
