/**
 * Faults in the code of the device 'cuda', each of which a native test on the stand-in driver must
 * see: made one after the other in a copy of native/, which is built and tested. Takes minutes; not
 * part of `npm test`.
 *
 *   node scripts/card-faults.mjs           all of them
 *   node scripts/card-faults.mjs PART      those whose sentence holds PART
 */
import fs from 'node:fs'
import path from 'node:path'
import { standInEnvironment } from './cuda-tests.mjs'
import { counts, executable } from './native-tests.mjs'
import { capture, jobs, root, run } from './process.mjs'

const copy = path.join(root, 'build-faults')
const dir = 'build-faults/build'
const cuda = 'native/device/cuda'

/** What is wrong, in which file, what stands there and what then; the test that must fail. */
const faults = [
  {
    what: 'the numbers of a step (rate, number, schedule) are not sent before its graph',
    file: `${cuda}/queue.cc`,
    from: '[&] { send_told(); }',
    to: '[] {}',
    red: 'what_changes_between_steps_of_a_card_is_in_no_graph',
  },
  {
    what: 'the number of a batch, of which dropout is drawn, is not sent before its graph',
    file: `${cuda}/queue.cc`,
    from: 'if (step != step_number_)',
    to: 'if (step != step_number_ && !graphs_.leaves_out())',
    red: 'steps_of_a_card_are_graphs_of_the_same_bits',
  },
  {
    what: 'the key of a graph is without the seed',
    file: 'native/plan/plan.cc',
    from: 'int64_t(mode), part, static_cast<int64_t>(seed_)',
    to: 'int64_t(mode), part',
    red: 'settings_that_a_graph_of_a_card_holds_make_another',
  },
  {
    what: 'the key of a graph is without clipping',
    file: 'native/plan/plan.cc',
    from: 'if (mode == Mode::kTrain) update_.alike(alike_);',
    to: '',
    red: 'settings_that_a_graph_of_a_card_holds_make_another',
  },
  {
    what: 'the key of a graph is without the extents of the inputs',
    file: 'native/plan/plan.cc',
    from: 'alike_.push_back(extent.rows);\n    alike_.insert(alike_.end(), extent.dims.begin(), extent.dims.end());',
    to: '(void)extent;',
    red: 'batches_of_other_kinds_on_one_plan_have_graphs_of_their_own',
  },
  {
    what: 'the key of a graph is without which outputs have sample weights',
    file: 'native/plan/plan.cc',
    from: 'if (logs(mode)) losses_.alike(alike_);',
    to: '',
    red: 'batches_of_other_kinds_on_one_plan_have_graphs_of_their_own',
  },
  {
    what: 'the key of a graph is without the kind of the batch',
    file: 'native/plan/plan.cc',
    from: 'int64_t(mode), part, static_cast<int64_t>(seed_)',
    to: 'part, static_cast<int64_t>(seed_)',
    red: 'batches_of_other_kinds_on_one_plan_have_graphs_of_their_own',
  },
  {
    what: 'memory that a graph has the address of goes, and the graph stays',
    file: `${cuda}/queue.cc`,
    from: '  graphs_.drop();\n  blocks_.erase(',
    to: '  blocks_.erase(',
    red: 'memory_that_goes_ends_the_graphs_of_a_card',
  },
  {
    what: 'a download does not wait',
    file: `${cuda}/queue.cc`,
    from: '    wait();\n    std::memcpy(static_cast<char*>(host)',
    to: '    std::memcpy(static_cast<char*>(host)',
    red: 'ops_of_a_card_agree_with_those_of_the_cpu',
  },
  {
    what: 'an upload does not wait, whose numbers another queue reads',
    file: `${cuda}/cuda.cc`,
    from: '  queue_.wait();  // another plan',
    to: '  // another plan',
    red: 'an_upload_is_there_for_all_queues_of_a_card',
  },
  {
    what: 'a piece of pinned memory is used again before its copy is done',
    file: `${cuda}/queue.cc`,
    from: '    check_cuda(ask([&] { return card_.driver.cuEventSynchronize(slot.event); }),\n               "cuEventSynchronize");\n',
    to: '',
    red: 'pinned_memory_of_a_card_is_used_again_when_its_copy_is_done',
  },
  {
    what: 'a copy whose end no event says is not waited for',
    file: `${cuda}/queue.cc`,
    from: '  if (in_flight_) synchronize(in_flight_);\n',
    to: '',
    red: 'numbers_that_come_late_from_a_card_are_not_sent_back',
  },
  {
    what: 'a product has a wrong leading dimension: its operand is packed',
    file: `${cuda}/queue.cc`,
    from: 'ldy = fits_int(a.ld)',
    to: 'ldy = fits_int(a.transposed ? M : K)',
    red: 'ops_of_a_card_agree_with_those_of_the_cpu',
  },
  {
    what: 'an error that ends the use of a card is told as one of many',
    file: `${cuda}/driver.cc`,
    from: '(is_final(result) ? kFinal : "")',
    to: '""',
    red: 'a_card_whose_context_is_dead_says_so_at_every_call',
  },
  {
    what: 'a batch begins without a look at the memory that is free',
    file: `${cuda}/queue.cc`,
    from: 'return {free_bytes() + held, "the memory',
    to: 'return {int64_t(1) << 50, "the memory',
    red: 'a_batch_that_a_card_has_no_memory_for_is_refused_before_it_begins',
  },
]

function must(status, what) {
  if (status === 0) return
  console.error(`card-faults: ${what} failed`)
  process.exit(1)
}

const build = () =>
  capture('cmake', ['--build', dir, '--parallel', jobs(), '--target', 'native_tests'])

/** Of one test; null: it did not end. */
function test(name) {
  const { output } = capture(executable(dir, 'native_tests'), [name], {
    env: standInEnvironment(dir),
    timeout: 600_000,
  })
  return counts(output)
}

// What has not changed keeps its time, so that only the rest is built.
const isNew = (from, to) =>
  fs.statSync(from).isDirectory() ||
  !fs.existsSync(to) ||
  !fs.readFileSync(from).equals(fs.readFileSync(to))
for (const name of ['CMakeLists.txt', 'package.json', 'native'])
  fs.cpSync(path.join(root, name), path.join(copy, name), { recursive: true, filter: isNew })
must(run('cmake', ['-S', copy, '-B', dir, '-DHS_TESTS=ON']), 'configuring')
must(build().status, 'the build without faults')

const chosen = faults.filter(({ what }) => what.includes(process.argv[2] ?? ''))
for (const red of new Set(chosen.map((fault) => fault.red)))
  must(test(red)?.failed ?? 1, `${red}, without a fault,`)

let unseen = 0
for (const { what, file, from, to, red } of chosen) {
  const target = path.join(copy, file)
  const text = fs.readFileSync(target, 'utf8')
  if (text.split(from).length !== 2) throw new Error(`card-faults: ${file} must have once: ${from}`)
  fs.writeFileSync(target, text.split(from).join(to))
  try {
    const { status, output } = build()
    if (status !== 0) throw new Error(`card-faults: does not compile: ${what}\n${output}`)
    const after = test(red)
    const isRed = after === null || after.failed > 0
    if (!isRed) unseen++
    console.log(`${isRed ? 'red' : 'NOT SEEN'}: ${what}: ${red}`)
  } finally {
    fs.writeFileSync(target, text)
  }
}
console.log(`${unseen} faults not seen`)
process.exit(unseen === 0 ? 0 : 1)
