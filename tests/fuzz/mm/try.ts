import { fuzzImages } from "./images";
import { Comparer, MODES } from "./compare";
import { generate } from "./generate";
import { print } from "./program";
const images = await fuzzImages();
let t = Date.now();
const comparer = new Comparer(images);
console.log("boot", Date.now() - t);
const [first, n, every, show] = process.argv.slice(2).map(Number);
t = Date.now(); const cpu = process.cpuUsage();
const ends: Record<string, number> = {};
let instr = 0, said=0;
for (let seed = first; seed < first + n; seed++) {
  const program = generate(seed);
  if (show) {
    console.log(print(program));
    for (const mode of MODES) { const o = comparer.run(program, mode, every); console.log(mode, o.end, o.instructions, o.frames.join(), o.console, o.findings, o.said.map(s=>s.length/2).join()); }
  }
  const d = comparer.difference(program, every);
  if (d) console.log(`seed ${seed}: ${d}`);
  if (n < 500) { const o = comparer.run(program, "copy", 0); ends[o.end] = (ends[o.end] ?? 0) + 1; instr += o.instructions; said += o.said.reduce((a, s) => a + s.length / 2, 0); }
}
console.log(ends, "instr/run", instr / n, "said", said/n, "ms/seed", (Date.now() - t) / n, "cpu ms/seed", (process.cpuUsage(cpu).user + process.cpuUsage(cpu).system) / 1000 / n);
