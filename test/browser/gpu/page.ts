/** What the WebGPU tests run inside the browser, as `window.gpu`. */
import { kernelFunctions } from "./kernel-page";
import { loopFunctions } from "./loop-page";
import { packedFunctions } from "./packed-page";

const functions = { ...kernelFunctions, ...loopFunctions, ...packedFunctions };

declare global {
  interface Window {
    gpu: typeof functions;
  }
}

window.gpu = functions;
