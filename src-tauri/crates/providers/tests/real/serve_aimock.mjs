// aimock at a free port, with what it shall say. It prints its address, and ends when its standard
// input does.
//
//     node serve_aimock.mjs ENTRY FIXTURES

import { pathToFileURL } from "node:url";

const [entry, fixtures] = process.argv.slice(2);
const { LLMock } = await import(pathToFileURL(entry));
const mock = new LLMock({ port: 0, strict: true, latency: 2, logLevel: "warn" });
mock.loadFixtureFile(fixtures);
await mock.start();
console.log(mock.url);
process.stdin.resume().on("end", () => process.exit());
