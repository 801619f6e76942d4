import { suite } from "uvu";
import { skip } from "../../skip";

const test = suite("skips");
test("good", () => {});
test("has no tool", () => skip("there is no such tool"));
test.run();
