/** All experiments, in the order in which they are listed and reported. May import the experiments. */
import type { Experiment } from "../experiment";
import { forkserver } from "./forkserver";
import { forktime } from "./forktime";
import { prefork } from "./prefork";
import { pressure } from "./pressure";
import { rmapcost } from "./rmapcost";
import { snapshot } from "./snapshot";
import { storm } from "./storm";
import { touch } from "./touch";

export const EXPERIMENTS: readonly Experiment[] = [
  forktime,
  touch,
  storm,
  snapshot,
  forkserver,
  prefork,
  rmapcost,
  pressure,
];
