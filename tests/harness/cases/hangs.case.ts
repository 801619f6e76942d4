import { suite } from "uvu";

const test = suite("hangs");
test("spins", () => {
  for (;;);
});
test.run();
