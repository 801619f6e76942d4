/**
 * The emulators that the benchmark compares, and one run of a guest on one of them, in a process of its own (peer.mjs).
 * May import Node only.
 */
import { spawn, spawnSync } from "node:child_process";

export const PEERS = ["ours", "v86", "v86-jit", "qemu"] as const;
export type Peer = (typeof PEERS)[number];

/** How tables call them. */
export const PEER_NAMES: Readonly<Record<Peer, string>> = {
  ours: "ours",
  v86: "v86 JIT off",
  "v86-jit": "v86 JIT on",
  qemu: "QEMU TCG",
};

/** Time by the clock on the wall, or processor time of the thread that runs the guest, which a busy host does not stretch. */
export type Clock = "wall" | "cpu";

/** One run: milliseconds and instructions (0 where they are not counted) of the timed part, and what the guest computed. */
export interface Run extends Record<Clock, number> {
  instructions: number;
  checksum: string;
}

/** Whether QEMU is installed. */
export function hasQemu(): boolean {
  return spawnSync("qemu-system-i386", ["--version"]).status === 0;
}

/** Longest run, in milliseconds: one that takes longer hangs. */
const TIME_LIMIT = 120_000;

/**
 * Runs an image file. For `ours` dist/ must be up to date. Rejects with what the emulator printed when the guest did not
 * come to its end.
 */
export function runOn(peer: Peer, image: string): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["tests/bench/peer.mjs", peer, image], { timeout: TIME_LIMIT });
    const output: Buffer[] = [];
    const errors: Buffer[] = [];
    child.stdout.on("data", (data: Buffer) => output.push(data));
    child.stderr.on("data", (data: Buffer) => errors.push(data));
    child.on("error", reject);
    child.on("close", (code, signal) => {
      const last = Buffer.concat(output).toString().trimEnd().split("\n").at(-1) ?? "";
      if (code === 0 && last.startsWith("{")) resolve(JSON.parse(last) as Run);
      else {
        const said = Buffer.concat([...output, ...errors])
          .toString()
          .trim();
        reject(new Error(`${peer}: ${image} did not end well (${signal ?? code}): ${said}`));
      }
    });
  });
}
