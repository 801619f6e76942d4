import { suite } from "uvu";

const test = suite("throwing-hook");
test.before(() => {
  throw new Error("this hook is meant to throw");
});
test("never reached", () => {});
test.run();
