/** No frame is lost over 10,000 forks, in either mode. */
import { guestTests } from "../guest/guest";

// Without filling freed frames, which would be most of the work.
await guestTests("manyforks", { arguments: "10000", poison: false });
