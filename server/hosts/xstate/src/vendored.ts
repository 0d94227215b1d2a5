/**
 * The two XState builds this host carries and `@stateward/machine`, and which of them an import means.
 *
 * A module's `xstate` imports must resolve to the very copies the gates drive: `spawn` finds its machine
 * through module state, and `instanceof` must hold. Each sub-path becomes a synthetic module that re-exports
 * the copy in this bundle.
 */

import * as helper from "@stateward/machine";
import * as v5 from "xstate5";
import * as v5actions from "xstate5/actions";
import * as v5actors from "xstate5/actors";
import * as v5dev from "xstate5/dev";
import * as v5graph from "xstate5/graph";
import * as v5guards from "xstate5/guards";
import * as v4 from "xstate4/es/index.js";
import * as v4Actor from "xstate4/es/Actor.js";
import * as v4Machine from "xstate4/es/Machine.js";
import * as v4SimulatedClock from "xstate4/es/SimulatedClock.js";
import * as v4State from "xstate4/es/State.js";
import * as v4StateNode from "xstate4/es/StateNode.js";
import * as v4actionTypes from "xstate4/es/actionTypes.js";
import * as v4actions from "xstate4/es/actions.js";
import * as v4behaviors from "xstate4/es/behaviors.js";
import * as v4constants from "xstate4/es/constants.js";
import * as v4devTools from "xstate4/es/devTools.js";
import * as v4environment from "xstate4/es/environment.js";
import * as v4interpreter from "xstate4/es/interpreter.js";
import * as v4invokeUtils from "xstate4/es/invokeUtils.js";
import * as v4json from "xstate4/es/json.js";
import * as v4mapState from "xstate4/es/mapState.js";
import * as v4match from "xstate4/es/match.js";
import * as v4model from "xstate4/es/model.js";
import * as v4patterns from "xstate4/es/patterns.js";
import * as v4registry from "xstate4/es/registry.js";
import * as v4scheduler from "xstate4/es/scheduler.js";
import * as v4schema from "xstate4/es/schema.js";
import * as v4serviceScope from "xstate4/es/serviceScope.js";
import * as v4stateUtils from "xstate4/es/stateUtils.js";
import * as v4types from "xstate4/es/types.js";
import * as v4utils from "xstate4/es/utils.js";
import * as v4waitFor from "xstate4/es/waitFor.js";

export { helper, v4, v4interpreter, v4registry, v4serviceScope, v4State, v4utils, v5 };

export type Dialect = "v4" | "v5";

type Namespace = Record<string, unknown>;

export const vendored: Record<string, Namespace> = {
  "machine": helper,
  "v5": v5,
  "v5/actions": v5actions,
  "v5/actors": v5actors,
  "v5/dev": v5dev,
  "v5/graph": v5graph,
  "v5/guards": v5guards,
  "v4": v4,
  "v4/Actor": v4Actor,
  "v4/Machine": v4Machine,
  "v4/SimulatedClock": v4SimulatedClock,
  "v4/State": v4State,
  "v4/StateNode": v4StateNode,
  "v4/actionTypes": v4actionTypes,
  "v4/actions": v4actions,
  "v4/behaviors": v4behaviors,
  "v4/constants": v4constants,
  "v4/devTools": v4devTools,
  "v4/environment": v4environment,
  "v4/interpreter": v4interpreter,
  "v4/invokeUtils": v4invokeUtils,
  "v4/json": v4json,
  "v4/mapState": v4mapState,
  "v4/match": v4match,
  "v4/model": v4model,
  "v4/patterns": v4patterns,
  "v4/registry": v4registry,
  "v4/scheduler": v4scheduler,
  "v4/schema": v4schema,
  "v4/serviceScope": v4serviceScope,
  "v4/stateUtils": v4stateUtils,
  "v4/types": v4types,
  "v4/utils": v4utils,
  "v4/waitFor": v4waitFor,
};

const HELPER = /^(?:npm:\/?)?@stateward\/machine(?:@[^/]+)?$/;
const SPECIFIER = /^(npm:\/?)?xstate(?:@([^/]+))?(?:\/(.*))?$/;

/** What an import specifier means: a key of `vendored`, and whether it leaves the version open. */
export function vendoredKey(specifier: string, bare: Dialect): { key: string; open: boolean } | undefined {
  if (HELPER.test(specifier)) return { key: "machine", open: false };
  const match = SPECIFIER.exec(specifier);
  if (!match) return undefined;
  const [, npm, version, rest = ""] = match;
  const compiled = /^(?:lib|es)(?:\/|$)/.test(rest);
  let dialect: Dialect = bare;
  let open = false;
  if (version !== undefined) {
    const major = /^(?:latest$|[\^~>=v ]*5(?:\.|$))/.test(version)
      ? "v5"
      : /^[\^~>=v ]*4(?:\.|$)/.test(version)
      ? "v4"
      : "";
    if (!major) return undefined;
    dialect = major;
  } else if (npm || compiled) dialect = "v4";
  else open = true;
  const path = rest.replace(/^(?:lib|es)(?:\/|$)/, "").replace(/\.js$/, "").replace(/^index$/, "");
  const key = path ? `${dialect}/${path}` : dialect;
  return key in vendored ? { key, open } : undefined;
}
