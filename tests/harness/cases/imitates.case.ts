import { suite } from "uvu";

const test = suite("imitates");
test("good", () => {});
test("prints a line like the runner's", () => {
  console.log("99 passed, 0 failed");
  throw new Error("and fails");
});
test.run();
