import { builtImages, MODES, runGuest, testCommandLine } from "./guest/guest";
import { Injector } from "./guest/inject";
import { swappingOptions } from "./guest/swapping";

const built = await builtImages();
for (const mode of (process.argv[2] ? [process.argv[2]] : MODES) as any) {
  let inj: any;
  const t = process.cpuUsage().user;
  const r = runGuest(built, {
    ...swappingOptions({
      onMachine: (m: any) => {
        inj = new Injector(m, built.kernel, !process.env.NOCMP);
      },
    }),
    commandLine: testCommandLine(
      mode,
      process.argv[4] ?? "injectswap",
      `host ${process.argv[3] ?? ""}`,
      false,
      process.argv[5] ?? "swap=on reclaim=off",
    ),
    maxInstructions: 2e9,
  });
  console.log(mode, r.stop, r.instret, (process.cpuUsage().user - t) / 1e6, "s", inj.failures, inj.deaths);
  console.log(
    r.output
      .split("\n")
      .filter((l: string) => !l.startsWith("hda") && !l.startsWith("out of"))
      .join("\n"),
  );
  console.log(inj.problems.slice(0, 10).join("\n"));
}
