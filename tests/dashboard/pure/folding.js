/** Folds the events of one call, for tests that look at what came of them. */

import { foldAll, nothing } from "../../../clients/dashboard/fold.js";
import { CALL } from "./events.js";

export const after = (...events) => foldAll(nothing(), events);
export const call = (state) => state.calls.get(CALL);
export const texts = (state) => call(state).lines.map((line) => line.text ?? line.kind);
