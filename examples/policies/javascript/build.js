// Makes policy.wasm (or the file in the argument), a component with entry.js, which runs policy.js,
// and the JavaScript engine.
import { componentize } from "@bytecodealliance/componentize-js";
import { writeFile } from "node:fs/promises";

const { component } = await componentize({
  sourcePath: "entry.js",
  witPath: "wit",
  worldName: "policy",
  // A policy has no files, no network and no clock. It imports what it needs from carom:policy.
  // Standard error stays: the engine says there which exception was thrown, and where.
  disableFeatures: ["random", "clocks", "http", "fetch-event"],
});
await writeFile(process.argv[2] ?? "policy.wasm", component);
