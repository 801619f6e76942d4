/** A thread of the laboratory: runs points, one after another. May import tools/lab, Node. */
import { type MessagePort, parentPort } from "node:worker_threads";
import type { Answer, Task } from "./messages";
import { runPoint } from "./point";
import { findExperiment } from "./registry";

const port = parentPort as MessagePort;

async function answer({ point, source, images, setup, references }: Task): Promise<Answer> {
  try {
    const experiment = await findExperiment(source);
    const began = performance.now();
    const result = runPoint(experiment, point, images, setup, references);
    return { result, seconds: (performance.now() - began) / 1000 };
  } catch (error) {
    return { fault: (error as Error).message };
  }
}

port.on("message", async (task: Task) => port.postMessage(await answer(task)));
