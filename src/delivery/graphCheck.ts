import { ElfError } from "../flow/errors";
import { type Field, fieldsOf, ProtobufError } from "./protobuf";

/** A file of a model that asks for what no exported model needs: such a model is not run. */
export class UntrustedModelError extends ElfError {
  readonly code = "untrusted-model";
}

/** What is built of arithmetic alone: no control flow, no strings, no files, no randomness, nothing of other makers. */
const OPERATORS: Readonly<Record<string, ReadonlySet<string>>> = {
  "": new Set(
    `Abs Add And ArgMax ArgMin Cast CastLike Ceil Clip Concat Constant ConstantOfShape Cos CumSum Div Equal Erf Exp Expand
     Flatten Floor Gather GatherElements GatherND Gelu Gemm Greater GreaterOrEqual Identity LayerNormalization Less
     LessOrEqual Log LogSoftmax MatMul Max Mean Min Mod Mul Neg Not Or Pad Pow RMSNormalization Range Reciprocal ReduceL2
     ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceSum ReduceSumSquare Relu Reshape RotaryEmbedding Round Shape
     Sigmoid Sign SimplifiedLayerNormalization Sin Size Slice Softmax Softplus Split Sqrt Squeeze Sub Sum Swish Tanh Tile
     TopK Transpose Trilu Unsqueeze Where`.split(/\s+/),
  ),
  "com.microsoft": new Set(
    `BiasGelu FastGelu FusedMatMul Gelu MatMulNBits MultiHeadAttention QuickGelu RotaryEmbedding
     SimplifiedLayerNormalization SkipSimplifiedLayerNormalization DequantizeLinear`.split(/\s+/),
  ),
};

/** Bytes of one element of the tensor types that weights and indices have. */
const ELEMENT_BYTES: Readonly<Record<number, number>> = { 1: 4, 2: 1, 3: 1, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8 };

/**
 * Looks through an ONNX graph before a runtime sees it: only operators of the list, no subgraphs and no functions, and
 * weights only from `files`, the bytes of each by its name, inside their bounds and of the size that their shape asks for.
 * @throws {UntrustedModelError} naming the graph and what is wrong with it.
 */
export function checkGraph(path: string, bytes: Uint8Array, files: ReadonlyMap<string, number>): void {
  const refuse: Refuse = (why) => {
    throw new UntrustedModelError(`${path} will not be run: ${why}.`, "Use a model that `elf export` wrote.");
  };
  try {
    let graphs = 0;
    for (const { number, value } of fieldsOf(bytes)) {
      if (number === 20 || number === 25) refuse("it brings functions of its own");
      if (number !== 7) continue;
      graphs++;
      for (const field of fieldsOf(message(value))) {
        if (field.number === 1) checkNode(message(field.value), refuse);
        if (field.number === 5) checkTensor(message(field.value), files, refuse);
        if (field.number === 15) refuse("it holds sparse weights");
      }
    }
    if (graphs !== 1) refuse(`it holds ${graphs} graphs in place of one`);
  } catch (error) {
    if (!(error instanceof ProtobufError)) throw error;
    refuse(`${error.message}, so it is no ONNX graph`);
  }
}

type Refuse = (why: string) => never;

function checkNode(node: Uint8Array, refuse: Refuse): void {
  let operator = "";
  let domain = "";
  for (const { number, value } of fieldsOf(node)) {
    if (number === 4) operator = text(value);
    if (number === 7) domain = text(value);
    if (number === 5) checkAttribute(message(value), refuse);
  }
  const known = domain === "ai.onnx" ? "" : domain;
  if (!Object.hasOwn(OPERATORS, known) || !OPERATORS[known]?.has(operator)) {
    refuse(`it uses the operator ${[domain, operator].filter(Boolean).join(".").slice(0, 60)}`);
  }
}

function checkAttribute(attribute: Uint8Array, refuse: Refuse): void {
  for (const { number, value } of fieldsOf(attribute)) {
    if (number === 6 || number === 11) refuse("it holds a graph within the graph");
    if (number === 5 || number === 10) checkTensor(message(value), new Map(), refuse);
    if (number === 22 || number === 23) refuse("it holds sparse weights");
  }
}

function checkTensor(tensor: Uint8Array, files: ReadonlyMap<string, number>, refuse: Refuse): void {
  const place: Record<string, string> = {};
  let elements = 1;
  let type = 0;
  let isExternal = false;
  for (const { number, value } of fieldsOf(tensor)) {
    if (number === 1) for (const size of numbers(value)) elements *= Number(size);
    if (number === 2 && typeof value === "bigint") type = Number(value);
    if (number === 13) {
      isExternal = true;
      const [key, entry] = keyAndValue(message(value));
      place[key] = entry;
    }
    if (number === 14 && value !== 0n) isExternal = true;
  }
  if (!Number.isSafeInteger(elements)) refuse("a tensor has more elements than can be counted");
  if (!isExternal) return;
  const { location = "", offset = "0", length } = place;
  const size = files.get(location);
  if (size === undefined) refuse(`it reads weights from “${location.slice(0, 60)}”`);
  const bytes = elements * (ELEMENT_BYTES[type] ?? Number.NaN);
  if (Number.isNaN(bytes)) refuse(`a weight is of the unknown type ${type}`);
  if (![offset, length ?? "0"].every((number) => /^\d{1,15}$/.test(number)))
    refuse("the place of a weight is no number");
  if (length !== undefined && Number(length) !== bytes) refuse("a weight has other bytes than its shape asks for");
  if (Number(offset) + bytes > size) refuse(`a weight ends behind the end of ${location}`);
}

function keyAndValue(entry: Uint8Array): [string, string] {
  let key = "";
  let content = "";
  for (const { number, value } of fieldsOf(entry)) {
    if (number === 1) key = text(value);
    if (number === 2) content = text(value);
  }
  return [key, content];
}

/** Whole numbers of a repeated field, written one by one or packed together. */
function* numbers(value: Field["value"]): Generator<bigint> {
  if (typeof value === "bigint") return yield value;
  // Packed ones are bare varints; a tag in front of each makes them fields again.
  let start = 0;
  for (let end = 1; end <= value.length; end++) {
    if ((value[end - 1] ?? 0) >= 128) continue;
    const [field] = fieldsOf(Uint8Array.of(8, ...value.subarray(start, end)));
    if (typeof field?.value === "bigint") yield field.value;
    start = end;
  }
}

function message(value: Field["value"]): Uint8Array {
  if (typeof value === "bigint") throw new ProtobufError("a message is a number");
  return value;
}

function text(value: Field["value"]): string {
  return new TextDecoder().decode(message(value));
}
