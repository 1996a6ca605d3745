// Makes policy.wasm (or the file in the argument), a component with policy.js and the JavaScript
// engine that runs it.
import { componentize } from "@bytecodealliance/componentize-js";
import { writeFile } from "node:fs/promises";

const { component } = await componentize({
  sourcePath: "policy.js",
  witPath: "wit",
  worldName: "policy",
  // A policy has no files, no network and no clock. It imports what it needs from carom:policy.
  disableFeatures: ["random", "stdio", "clocks", "http", "fetch-event"],
});
await writeFile(process.argv[2] ?? "policy.wasm", component);
