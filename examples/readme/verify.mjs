// verify.mjs RECORDS <MESSAGE: is this mail who it says it is?
import { readFileSync } from 'node:fs';
import { Onward } from 'onward';

const onward = new Onward({ records: readFileSync(process.argv[2]) });
const me = { authservId: 'mx.example.net' };
const verdict = await onward.verify(readFileSync(0), me);
console.log(`Authentication-Results: ${verdict.authres}`);
process.exitCode = verdict.dmarc.result === 'pass' ? 0 : 1;
