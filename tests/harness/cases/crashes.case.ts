import { suite } from "uvu";

const test = suite("crashes");
test("good", () => {});
test("ends the process", () => process.exit(0));
test.run();
