// What the engine runs: policy.js, with the text and the place of an exception reported to carom.
// Without it, carom would only see that the engine has ended.
import * as policy from "./policy.js";

const reporting = (functions) =>
  functions &&
  Object.fromEntries(
    Object.entries(functions).map(([name, run]) => [
      name,
      (...inputs) => {
        try {
          return run(...inputs);
        } catch (thrown) {
          // A string is the policy's own error.
          if (typeof thrown === "string") throw thrown;
          const place = String(thrown?.stack ?? "").trim().split("\n")[0];
          const text = `${thrown} (${place})`;
          console.error(text);
          // Only `decide` can return an error.
          throw name === "decide" ? text : thrown;
        }
      },
    ]),
  );

export const decision = reporting(policy.decision);
export const mapping = reporting(policy.mapping);
export const classification = reporting(policy.classification);
export const settings = reporting(policy.settings);
export const diagnosis = reporting(policy.diagnosis);
