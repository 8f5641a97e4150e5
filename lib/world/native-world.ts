/** The addon's side of ranks that train together. */

/** Ranks that train together. All of them make the same calls, in the same order. */
export interface NativeWorld {
  readonly rank: number
  readonly size: number
  /** Version and file of MPI; null: there is none, and one rank. */
  readonly mpi: string | null
  /** The world of some ranks, in this order, which must be those that call it; id: from 1. */
  part(ranks: readonly number[], id: number): NativeWorld
  /** What each rank says. ERR_RANK where one is at another call, or has failed. */
  gather(call: string, text: string): Promise<string[]>
  /** Rank 0's bytes; all give as many. */
  spread(call: string, bytes: Uint8Array): Promise<Uint8Array>
  /** The others' next call is an ERR_RANK that says why. Does not wait. */
  fail(call: string, why: string): void
  /** Waits for all ranks to leave; then nothing more can be done together. */
  leave(): void
  /** Ends the processes of all ranks, after a line on stderr. */
  abort(code: number, sentence: string): void
}

/** How the ranks of a world share out the batches of a call. */
export interface NativeTeam {
  world: NativeWorld
  shards: number
  /** Whether gradients go from rank to rank as bfloat16. */
  rounds: boolean
  call: string
  /** Of 32 bits: another one for other data or settings. */
  mark: number
  /** Samples of the batch, where each rank has some of them; absent: each has all. */
  whole?: number
  /** Samples of it that lower ranks have. */
  before?: number
}
