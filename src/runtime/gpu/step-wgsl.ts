import { RANDOM_WGSL } from "./random-wgsl";

/** Threads of one workgroup; every WebGPU device allows 256. */
export const WORKGROUP_SIZE = 256;

/** What a dispatch does with the state before it prepares the network's next input. */
export const ACTIONS = {
  /** Draws the start noise. */
  start: 0,
  /** Takes z, x̂ and the x̂ before as they were uploaded. */
  enter: 1,
  /** One step: Euler's, that of the SDE or of the multistep solver. */
  step: 2,
} as const;

/**
 * One step of the sampler for all numbers of a batch, one thread each: guidance of the passes, Euler's step, what the
 * run holds, and the next step's fresh noise. It does what `flow/guidance.ts` and `flow/solvers.ts` do, in place.
 *
 * `shown` is what a frame shows, z and behind it x̂, and then the x̂ before that one; each (B, L, D). `answers`, `input`
 * and `previous` hold P passes of (B, L, D): the network's answers and what it is given next. The first V passes are
 * views of the state (with the prompt, without it); with P = 2V the others see the same without the last prediction.
 */
export const STEP_WGSL = /* wgsl */ `
${RANDOM_WGSL}

struct Step {
  // ACTIONS, layout of random bits, 1 where noise is mixed into the next input, 0.
  action: u32,
  rng: u32,
  mixes: u32,
  zero: u32,
  startKey: vec2<u32>,
  mixKey: vec2<u32>,
  // h, max(1 - t, tEps), how far the multistep solver carries x̂ on for its aim, and the time that is reached.
  h: f32,
  divisor: f32,
  carry: f32,
  t: f32,
  // Next input: how far x̂ is carried on for it, its time, α and 1 - α.
  feed: f32,
  inputTime: f32,
  kept: f32,
  added: f32,
  // B·L·D, D, P, V.
  count: u32,
  latentSize: u32,
  passes: u32,
  views: u32,
  cfgScale: f32,
  selfCondScale: f32,
  noiseScale: f32,
  // 1 where x̂ starts with the prompt, 0 where it starts at zero everywhere.
  startsHeld: u32,
}

@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read> answers: array<f32>;
@group(0) @binding(2) var<storage, read_write> shown: array<f32>;
@group(0) @binding(3) var<storage, read_write> input: array<f32>;
@group(0) @binding(4) var<storage, read_write> previous: array<f32>;
// Of each position (B, L): the row of \`anchors\` that the prompt holds it to, and the one a clamp does, both + 1; 0 is free.
@group(0) @binding(5) var<storage, read> holds: array<vec2<u32>>;
// Rows of D latents; behind a clamp's row lies one of its noise.
@group(0) @binding(6) var<storage, read> anchors: array<f32>;
// How many predicted numbers were infinite or none.
@group(0) @binding(7) var<storage, read_write> overflows: atomic<u32>;

fn guided(without: f32, withIt: f32, scale: f32) -> f32 {
  return without + scale * (withIt - without);
}

// What view \`view\` predicts, guided by the pass without the last prediction where there is one.
fn answered(view: u32, i: u32) -> f32 {
  let aware = answers[view * step.count + i];
  if (step.passes == step.views) {
    return aware;
  }
  return guided(answers[(step.views + view) * step.count + i], aware, step.selfCondScale);
}

fn anchor(row: u32, i: u32) -> f32 {
  return anchors[row * step.latentSize + i % step.latentSize];
}

// A prediction that holds the prompt.
fn held(x: f32, i: u32) -> f32 {
  let prompt = holds[i / step.latentSize].x;
  if (prompt == 0u) {
    return x;
  }
  return anchor(prompt - 1u, i);
}

// What stands for x̂ where there is none.
fn nothing(i: u32) -> f32 {
  if (step.startsHeld == 0u) {
    return 0.0;
  }
  return held(0.0, i);
}

// A state of time t that holds the prompt, and every clamp on its path.
fn restored(z: f32, i: u32, t: f32) -> f32 {
  let fixed = holds[i / step.latentSize].y;
  if (fixed == 0u) {
    return held(z, i);
  }
  return t * anchor(fixed - 1u, i) + (1.0 - t) * anchor(fixed, i);
}

fn predicted(i: u32) -> f32 {
  var x = answered(0u, i);
  if (step.views == 2u) {
    x = guided(answered(1u, i), x, step.cfgScale);
  }
  // A comparison of floats may be taken to hold no infinity.
  if ((bitcast<u32>(x) & 0x7f800000u) == 0x7f800000u) {
    atomicAdd(&overflows, 1u);
  }
  return held(x, i);
}

fn noise(key: vec2<u32>, i: u32) -> f32 {
  return step.noiseScale * normalOfBits(randomBits(key, i, step.count, step.rng), step.zero);
}

@compute @workgroup_size(${WORKGROUP_SIZE})
fn advance(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = id.x + id.y * groups.x * ${WORKGROUP_SIZE}u;
  if (i >= step.count) {
    return;
  }

  var z = shown[i];
  var x = shown[step.count + i];
  var earlier = shown[2u * step.count + i];
  switch step.action {
    case ${ACTIONS.start}u: {
      z = restored(noise(step.startKey, i), i, 0.0);
      x = nothing(i);
    }
    case ${ACTIONS.enter}u: {}
    default: {
      earlier = x;
      x = predicted(i);
      let begin = input[i];
      let aim = x + step.carry * (x - earlier);
      z = restored(begin + step.h * ((aim - begin) / step.divisor), i, step.t);
    }
  }
  shown[i] = z;
  shown[step.count + i] = x;
  shown[2u * step.count + i] = earlier;

  // What the network is given next.
  var seen = z;
  if (step.mixes == 1u) {
    seen = restored(step.kept * z + step.added * noise(step.mixKey, i), i, step.inputTime);
  }
  let fed = x + step.feed * (x - earlier);
  let prompted = holds[i / step.latentSize].x != 0u;
  for (var p = 0u; p < step.passes; p++) {
    let at = p * step.count + i;
    let hidden = prompted && p % step.views == 1u;
    let unaware = p >= step.views;
    input[at] = select(seen, 0.0, hidden);
    previous[at] = select(select(fed, nothing(i), unaware), 0.0, hidden);
  }
}
`;
