// What the page knows. Whatever happens is an event, and this is the only place that says what
// becomes of the state; what cannot happen in a phase changes nothing.

export const start = Object.freeze({
  phase: "out", // "out", "entering", "in", "leaving"
  way: "user", // or "guest"
  failure: null, // the name of what went wrong last, as failures.js has it
  notice: null, // the key of what else there is to say
  session: null, // what the server says of it
  services: null, // a list; null where the server could not be asked
  tests: Object.freeze({}), // by the number of the service: "running", or what turn.js found
});

const changes = {
  out: {
    chosen: (state, { way }) => ({ ...start, way }),
    refused: (state, { failure }) => ({ ...start, way: state.way, failure }),
    entering: (state) => ({ ...start, way: state.way, phase: "entering" }),
  },
  entering: {
    failed: (state, { failure }) => ({ ...start, way: state.way, failure }),
    ended: (state, { failure }) => ({ ...start, way: state.way, failure }),
    cancelled: (state) => ({ ...start, way: state.way }),
    entered: (state, { session, services }) => ({ ...state, phase: "in", session, services }),
  },
  in: {
    ended: (state, { failure }) => ({ ...start, way: state.way, failure }),
    leaving: (state) => ({ ...state, phase: "leaving" }),
    served: (state, { services }) => ({ ...state, services, tests: start.tests }),
    tested: (state, { number, result }) =>
      ({ ...state, tests: { ...state.tests, [number]: result } }),
  },
  leaving: {
    left: (state) => ({ ...start, way: state.way, notice: "status.signed-out" }),
    ended: (state) => ({ ...start, way: state.way, notice: "status.signed-out" }),
  },
};

export function next(state, event) {
  const change = changes[state.phase][event.type];
  return change ? Object.freeze(change(state, event)) : state;
}

export class Store {
  constructor(changed) {
    this.state = start;
    this.changed = changed;
  }

  tell(event) {
    const before = this.state;
    this.state = next(before, event);
    if (this.state !== before) this.changed(this.state, before);
  }
}
