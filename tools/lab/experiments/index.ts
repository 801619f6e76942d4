/** All experiments, in the order in which they are listed and reported. May import the experiments. */
import type { Experiment } from "../experiment";
import { demo } from "./demo";

export const EXPERIMENTS: readonly Experiment[] = [demo];
