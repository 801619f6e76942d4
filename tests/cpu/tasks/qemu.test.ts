/** The guest that switches tasks in every way finds the same on QEMU, word by word. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { same } from "../qemu";
import { taskGuest } from "./taskguest";

const test = suite("cpu/tasks/qemu");

test("registers, descriptors and task state segments after each switch", () => {
  assert.ok(same(taskGuest()).text.length > 10_000);
});

test.run();
