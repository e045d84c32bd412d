// A Jest reporter: one JSON object a line for each test, into the file that SUITE_RESULTS names.
// (Jest's own --json fails on errors that hold XML elements, which know their parents.)
"use strict";

const fs = require("node:fs");

module.exports = class {
  onTestResult(test, { testResults }) {
    for (const { fullName, status, failureMessages } of testResults) {
      const result = { file: test.path, name: fullName, status, text: failureMessages.join(" ") };
      fs.appendFileSync(process.env.SUITE_RESULTS, `${JSON.stringify(result)}\n`);
    }
  }
};
