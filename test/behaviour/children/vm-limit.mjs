// JavaScript that a time limit ends while a native call reads a getter, or makes its error.
// Argument: the addon's file.
import { createRequire } from 'node:module'
import vm from 'node:vm'
import { print } from './task.mjs'

const native = createRequire(import.meta.url)(process.argv[2])
const code = (script) => {
  try {
    vm.runInNewContext(script, { native }, { timeout: 20 })
    return 'ended'
  } catch (error) {
    return error.code
  }
}
const getter = code('try { native.compile({ get a() { for (;;); } }) } catch {}')
native.setErrorClasses(() => {
  for (;;);
})
print([getter, code('try { native.compile({ a: Symbol() }) } catch {}')])
