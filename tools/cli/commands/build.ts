/** `tine build [-o DIR]`: kernel.elf and initrd.tar, for our machine and for QEMU. */

import { join, relative } from "node:path";
import { Command } from "commander";
import { buildImages, outputFolder } from "../images";

/** `tine build`. */
export function buildCommand(): Command {
  return new Command("build")
    .description("build kernel.elf and initrd.tar")
    .option("-o, --out <dir>", "where to", outputFolder())
    .action(async ({ out }: { out: string }) => {
      const { kernel, initrd } = await buildImages(out);
      for (const [name, { length }] of [["kernel.elf", kernel] as const, ["initrd.tar", initrd] as const]) {
        process.stdout.write(`${relative(process.cwd(), join(out, name))} ${length} bytes\n`);
      }
    });
}
