/** Sections of docs/quality.md: which one script writes, others leave. */

const pattern = (title) => new RegExp(`## ${title}\\n[\\s\\S]*?(?=\\n## |$)`)

/** The section of this title in a page, '' where it has none. */
export const sectionOf = (page, title) => pattern(title).exec(page)?.[0].trimEnd() ?? ''

/** The page with this section, in place of the one it had or at its end. */
export function withSection(page, title, body) {
  const section = `## ${title}\n${body.trimEnd()}\n`
  if (!pattern(title).test(page)) return `${page.trimEnd()}\n\n${section}`
  return page.replace(pattern(title), () => section)
}
