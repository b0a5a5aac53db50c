/** What a judge says of texts, as lenses show it. */

/** A text in two figures. */
export interface TextQuality {
  /** Of the frequencies of its tokens, in nats: how varied it is. */
  readonly entropy: number;
  /** Under the judge, 1 …: low where it is like what the judge has learned. */
  readonly perplexity: number;
}

/** A run's text under the judge. */
export interface JudgedRun extends TextQuality {
  readonly id: string;
  /** What sets the run apart. */
  readonly label: string;
}

/** What the picture is drawn of. */
export interface Judged {
  readonly runs: readonly JudgedRun[];
  /** Real texts, all together and some of them one by one. */
  readonly real: TextQuality & { readonly samples: readonly TextQuality[] };
}
