import { useStore } from "zustand";
import { tryAgain } from "../../actions/writing";
import { addressWithWasm, readAddress } from "../../session/address";
import { useStudio, useWords } from "../StudioContext";
import { useAction } from "../ui/useAction";
import { Dismiss, Problem } from "./Problem";

/** Faults that doing it once more cannot mend. */
const NO_RETRY = new Set(["condition", "policy", "settings", "too-large", "untrusted-model"]);

/** Faults of a GPU that this page's address asks for. */
const MENDED_BY_WASM = new Set(["no-web-gpu", "self-test"]);

/** What went wrong, what can be done, and a way to do it. */
export function ProblemAlert() {
  const studio = useStudio();
  const words = useWords().problems;
  const { problem, retry } = useStore(studio.generation, (state) => state);
  if (!problem) return null;
  return (
    <Problem
      problem={problem}
      ways={
        <>
          {retry && !NO_RETRY.has(problem.code) && <TryAgain />}
          {MENDED_BY_WASM.has(problem.code) && readAddress(location.search).backend === "webgpu" && (
            <a href={addressWithWasm(location.search, location.hash)}>{words.useWasm}</a>
          )}
          <Dismiss onPress={() => studio.generation.getState().dismiss()} />
        </>
      }
    />
  );
}

function TryAgain() {
  const words = useWords().problems;
  return <button {...useAction(tryAgain)}>{words.tryAgain}</button>;
}
