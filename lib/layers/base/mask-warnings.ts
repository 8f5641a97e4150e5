/** Warnings about masks, once a layer, where Keras 1.2.2 does the same without a word. */

const told = new WeakSet<object>()

/** @param teller the object that is warned about once */
function tell(teller: object, message: string): void {
  if (told.has(teller)) return
  told.add(teller)
  process.emitWarning(message, { code: 'HIDDENSTATE_MASK' })
}

/** Warns that a layer inside a TimeDistributed has made a mask, and nothing inside reads it. */
export function tellLostMask(wrapper: object, where: string, inner: string): void {
  tell(
    wrapper,
    `${where}: a mask made inside must be used inside, got one from ${inner} that ends there, as in Keras 1.2.2. ` +
      'Wrap a model that uses it: new TimeDistributed(new Sequential([masking layer, recurrent layer])).',
  )
}

/** Warns that steps in processing order meet a mask in the order of the data. */
export function tellReversedSteps(reader: object, where: string): void {
  tell(
    reader,
    `${where}: steps and mask must have the same order, got those of a layer with goBackwards and returnSequences, whose outputs are in ` +
      'processing order while the mask is in that of the data, as in Keras 1.2.2. Bidirectional turns the outputs back; or reverse the ' +
      'data and leave goBackwards out.',
  )
}
