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

/** Makes each program and each archive once. */
export class Initrds {
  private readonly programs = new Map<string, Promise<TarFile[]>>();
  private readonly archives = new Map<string, Uint8Array>();

  /** `root`: where sources are named from. */
  constructor(
    private readonly root: string,
    private readonly progress: (text: string) => void = () => {},
  ) {}

  /** The initrd of a point. Throws CompileError, or Node's error for a source that cannot be read. */
  async get(experiment: Experiment, values: Values): Promise<Uint8Array> {
    const { name } = experiment;
    const programs = this.programs.get(name) ?? this.compile(experiment);
    this.programs.set(name, programs);
    const files = Object.entries(experiment.files?.(values) ?? {});
    const key = JSON.stringify([name, files]);
    const archive = this.archives.get(key) ?? buildInitrd([...(await programs), ...files.map(textFile)]);
    this.archives.set(key, archive);
    return archive;
  }

  private async compile({ name, program, others = [] }: Experiment): Promise<TarFile[]> {
    const files: TarFile[] = [];
    for (const source of [INIT, ...others, program]) {
      const as = source === program ? name : path.basename(source, ".ts");
      this.progress(`preparing ${as}`);
      const data = await buildUserProgram(path.resolve(this.root, source), { root: this.root });
      files.push({ name: `bin/${as}`, data, mode: EXECUTABLE });
    }
    return files;
  }
}

function textFile([name, text]: [string, string]): TarFile {
  return { name, data: new TextEncoder().encode(text), mode: READABLE };
}
