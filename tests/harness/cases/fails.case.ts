import { suite } from "uvu";

const test = suite("fails");
test("good", () => {});
test("bad", () => {
  throw new Error("this one is meant to fail");
});
test.run();
