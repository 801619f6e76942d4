/** What passes between the laboratory's main thread and those that hold machines. Types only. */
import type { Images, Point, PointResult, Setup } from "./point";

/** One run of one point. */
export interface Task {
  point: Point;
  /** The experiment's name, or the file of its declaration. */
  source: string;
  images: Images;
  setup: Setup;
  /** Count memory references in its regions too: the machine then runs step by step. */
  references: boolean;
}

/** What comes back: seconds are the host's. `fault` is an error of ours, or of the declaration's functions. */
export type Answer = { result: PointResult; seconds: number } | { fault: string };
