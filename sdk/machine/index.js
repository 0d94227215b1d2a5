// @ts-self-types="./index.d.ts"
/**
 * Other instances, as machines of XState 5 see them. Depends on nothing: what these functions return is plain
 * data and plain actor logic, which the server knows by its `type`.
 */

/**
 * Actor logic for `invoke`, `spawnChild` and `spawn`: the child is an instance of its own, with its own state on
 * disk, on the same server.
 *
 * Its `input` is the context it is created with. `sendTo` and `sendParent` work both ways, its end comes as
 * `onDone` or `onError`. Leaving the state, or `stopChild`, ends that and leaves the instance alone. Without
 * `instance`, each child gets a new name; one that exists is adopted as it is.
 *
 * Off the server it stands still: in a test of your own, `provide` the child's machine in its place.
 */
export function persistent({ machine, instance, version }) {
  return {
    type: "stateward.persistent",
    getInitialSnapshot: (_scope, input) => ({
      status: "active",
      output: undefined,
      error: undefined,
      input,
      machine,
      instance: (typeof instance === "function" ? instance(input) : instance) ?? crypto.randomUUID(),
      version,
    }),
    transition: (snapshot) => snapshot,
    getPersistedSnapshot: (snapshot) => snapshot,
    restoreSnapshot: (snapshot) => snapshot,
  };
}

/**
 * An instance that is nobody's child, or somebody else's, as a target of `sendTo`. It is plain JSON and may be
 * kept in the context. Off the server, what is sent to it goes nowhere, but shows in XState's `inspect`.
 */
export function instance(machine, name) {
  const ref = { type: "statebacked.instance", id: name, machineName: machine, machineInstanceName: name };
  return Object.defineProperty(ref, "_send", { value: () => {} });
}
