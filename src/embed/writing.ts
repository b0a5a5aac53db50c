import type { Recipe } from "../flow/recipe";
import type { Frame } from "../flow/trajectory";
import type { ShownRun } from "../player/run/run";
import type { LoadedModel, RunEvent, RunResult } from "../run/api";

let written = 0;

/** A run that grows as it is written, each time as a new object of the same `id`, as players take it. */
export class WrittenRun {
  #run: ShownRun | undefined;
  readonly #id = `written-${++written}`;

  /** `lead` are the frames before the fork, where it has one; the engine does not send them again. */
  constructor(
    private readonly model: LoadedModel,
    private readonly recipe: Recipe,
    private readonly lead: readonly Frame[],
    private readonly onGrown: (run: ShownRun) => void,
  ) {}

  hear(event: RunEvent): void {
    if (event.type === "start") {
      const { manifest, pieces } = this.model;
      this.#run = {
        id: this.#id,
        status: "running",
        trajectory: {
          ...this.recipe,
          model: manifest.name,
          times: event.times,
          frames: this.lead.slice(0, event.first),
        },
        pieces,
        eos: manifest.tokens.eos,
        text: "",
      };
    } else if (event.type === "frame" && this.#run) {
      const { trajectory } = this.#run;
      this.#grow({ trajectory: { ...trajectory, frames: [...trajectory.frames, event.frame] } });
    }
  }

  /** The run has ended; one without a frame never was. */
  end({ status, text }: Pick<RunResult, "text"> & { status: ShownRun["status"] }): void {
    if (this.#run?.trajectory.frames.length) this.#grow({ status, text });
  }

  #grow(change: Partial<ShownRun>): void {
    if (!this.#run) return;
    this.#run = { ...this.#run, ...change };
    this.onGrown(this.#run);
  }
}
