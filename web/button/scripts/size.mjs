/** Fail the build when the element grows beyond what a page should have to load. */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const LIMIT_BYTES = 25_000;
const file = new URL('../dist/talk-button.js', import.meta.url);
const sizeBytes = gzipSync(readFileSync(file), { level: 9 }).length;
console.log(`talk-button.js: ${sizeBytes} bytes gzipped, limit ${LIMIT_BYTES}`);
if (sizeBytes > LIMIT_BYTES) process.exitCode = 1;
