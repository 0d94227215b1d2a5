/** Telling an XState 4 machine by its definition, when its import does not say. */

// deno-lint-ignore no-explicit-any
type Any = any;

const ROOT_KEYS = [
  "predictableActionArguments",
  "preserveActionOrder",
  "schema",
  "tsTypes",
  "strict",
  "delimiter",
];
const DEEPEST = 100;

/** Whether a machine's config uses words that only XState 4 knows. */
export function looksLikeV4(config: Any): boolean {
  if (!isObject(config)) return false;
  return ROOT_KEYS.some((key) => key in config) || nodeLooksLikeV4(config, 0);
}

function nodeLooksLikeV4(node: Any, depth: number): boolean {
  if (!isObject(node) || depth > DEEPEST) return false;
  if ("activities" in node || (node.type === "final" && "data" in node)) return true;
  if (list(node.invoke).some((invoke) => invokeLooksLikeV4(invoke))) return true;
  const moves = [node.always, node.onDone, ...values(node.on), ...values(node.after)];
  if (moves.some(moveLooksLikeV4)) return true;
  return values(node.states).some((inner) => nodeLooksLikeV4(inner, depth + 1));
}

function invokeLooksLikeV4(invoke: Any): boolean {
  if (!isObject(invoke)) return false;
  if ("data" in invoke || "autoForward" in invoke || "forward" in invoke) return true;
  return [invoke.onDone, invoke.onError].some(moveLooksLikeV4);
}

function moveLooksLikeV4(moves: Any): boolean {
  return list(moves).some((move) => isObject(move) && ("cond" in move || "internal" in move || "in" in move));
}

function isObject(value: Any): boolean {
  return value !== null && typeof value === "object";
}

function list(value: Any): Any[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}

function values(value: Any): Any[] {
  return isObject(value) ? Object.values(value) : [];
}
