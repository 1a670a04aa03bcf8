// The counting of checks. Its output is the interface to tests/integration/clients.rs: one line per check, and a last line
// `N passed, M failed`. The program never stops at the first failure, so that one run shows everything.

import { isDeepStrictEqual, inspect } from "node:util";

/** An error answer, in one shape for all transports: Connect's name of the code, and the fields of BadRequest. */
export class Refused extends Error {
  constructor(code, fields, text) {
    super(`${code} [${fields}] ${text}`);
    this.code = code;
    this.fields = [...fields].sort();
  }
}

export class Checks {
  passed = 0;
  failed = 0;
  label = "";

  true(sentence, holds, seen = "") {
    const labelled = this.label ? `${this.label}: ${sentence}` : sentence;
    if (holds) {
      this.passed += 1;
      console.log(`ok - ${labelled}`);
    } else {
      this.failed += 1;
      console.log(`not ok - ${labelled}: ${String(seen).replace(/\s+/g, " ")}`);
    }
  }

  equal(sentence, seen, wanted) {
    this.true(sentence, isDeepStrictEqual(seen, wanted), `saw ${inspect(seen)}, wanted ${inspect(wanted)}`);
  }

  /** `call` must fail with `code`, and BadRequest must name exactly `fields`. */
  async refused(sentence, code, call, fields = []) {
    let answer;
    try {
      answer = await call();
    } catch (refusal) {
      if (!(refusal instanceof Refused)) throw refusal;
      this.equal(sentence, [refusal.code, refusal.fields], [code, [...fields].sort()]);
      return;
    }
    this.true(sentence, false, `it was taken: ${inspect(answer)}`);
  }

  /** A section that breaks down is one failed check; the sections after it still run. */
  async section(name, run) {
    try {
      await run();
    } catch (broken) {
      this.true(`${name} runs to its end`, false, broken?.stack ?? broken);
    }
  }

  finish() {
    console.log(`${this.passed} passed, ${this.failed} failed`);
    process.exitCode = this.failed || !this.passed ? 1 : 0;
  }
}
