/**
 * `node scripts/check-release.mjs v1.2.3`: the tag, package.json and CHANGELOG.md must speak of the
 * same version. In a workflow of GitHub package.json must name its repository too:
 * npm takes no provenance without.
 */
import fs from 'node:fs'
import path from 'node:path'
import { root } from './process.mjs'

const read = (file) => fs.readFileSync(path.join(root, file), 'utf8')
const tag = process.argv[2] ?? ''
const { version, repository } = JSON.parse(read('package.json'))
const problems = []
if (tag !== `v${version}`)
  problems.push(`the tag must be v${version}, as package.json says, got ${tag || 'none'}`)
const dated = new RegExp(`^## \\[${version.replace(/\./g, '\\.')}\\] - \\d{4}-\\d{2}-\\d{2}$`, 'm')
if (!dated.test(read('CHANGELOG.md')))
  problems.push(`CHANGELOG.md must have a section "## [${version}] - YYYY-MM-DD", got none`)
const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: name } = process.env
const url = typeof repository === 'string' ? repository : repository?.url
if (name !== undefined && url?.replace(/^git\+|\.git$/g, '') !== `${server}/${name}`)
  problems.push(
    `package.json: repository.url must be "git+${server}/${name}.git", got ${url ?? 'none'}`,
  )
for (const problem of problems) console.error(`check-release: ${problem}`)
process.exit(problems.length === 0 ? 0 : 1)
