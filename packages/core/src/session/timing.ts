/** How long things of a session take at most, in milliseconds. */

export const timing = {
  /** A description waits so long for the first candidate. */
  firstCandidateMs: 20,
  /** A candidate waits so long for the next. */
  coalesceMs: 2,
  /** What we have of the peer is told it so much later, unless something else is sent before. */
  ackMs: 150,
  /** A peer that repeats itself is answered so often at most. */
  answerAgainMs: 250,
  /** The first repetition of what the peer does not seem to have; doubled with each. */
  resendFirstMs: 500,
  /** The longest time between repetitions, while somebody waits for the session and otherwise. */
  resendUrgentMs: 4_000,
  resendIdleMs: 60_000,
  /** From both descriptions to a path that answers. */
  connectMs: 20_000,
  /** A path that was lost may return by itself. */
  disconnectedMs: 2_000,
  /** The controlled peer lets the controlling one restart. */
  secondSideMs: 1_500,
  /** After a failure; doubled with each. */
  restartFirstMs: 100,
  restartMostMs: 30_000,
  /** A connection that the peer has closed is replaced after so much more. */
  closedMs: 500,
  /** What an agent may take to make or take a description. */
  operationMs: 10_000,
  /** Time and again the peer's certificate was not the one that it had named: nothing that a quick retry mends. */
  forgedMs: 30_000,
  /** Somebody who is asked whether it is still there answers in this time. */
  probeMs: 2_500,
  /** Whose path was lost so long ago, and who was not heard since, is not there any more; a word older than that says nothing. */
  silenceMs: 5_000,
  /** After a loss, messages are repeated as often as while somebody waits, for so long. */
  urgentLossMs: 300_000,
  /** An attempt of the peer's that does not get anywhere is given up. */
  incomingMs: 30_000,
  /** While the one attempt that we have is not confirmed, other instances are asked as well. */
  askOthersMs: 3_000,
  /** A peer that has ended an attempt is asked again so much later. */
  askAfterEndMs: 2_000,
  /** When one instance has declined, another may take the call for so long. */
  otherComesMs: 1_000,
  /** A confirmed one gets so long before others are asked as well. */
  askDespiteMs: 15_000,
  /** What was sent before an orderly end gets so long to be taken, unless the application says otherwise. */
  drainMs: 5_000,
} as const;
