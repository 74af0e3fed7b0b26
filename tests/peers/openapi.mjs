// Holds an OpenAPI document to the specification's own JSON Schema, with a validator that is not ours.
// Usage: node openapi.mjs FILE, with the packages of package-lock.json in VIGIE_PAGE_MODULES. Prints the version.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.env.VIGIE_PAGE_MODULES}/`);
const found = require.resolve("@seriousme/openapi-schema-validator");
const { Validator } = await import(pathToFileURL(found));
const validator = new Validator();
const result = await validator.validate(JSON.parse(readFileSync(process.argv[2], "utf8")));
if (!result.valid) {
  console.error(JSON.stringify(result.errors, null, 1));
  process.exit(1);
}
// Every reference leads somewhere.
validator.resolveRefs();
console.log(validator.version);
