/** What a fault is, as an entry of a table. */
import type { Json } from '../../../src/world.ts';
import type { HealthBody, Running, TestClient } from '../../e2e/gateway.ts';
import type { Backend } from '../../fixtures/http/index.mjs';
import type { Column, Expected, Reply } from './judge.ts';

/** What a backend needs to be there before the gateway starts. All of it ends with the trial. */
export interface Setup {
  /** A folder of the trial's own. */
  readonly folder: string;
  /** A program of test/fixtures/http, in a process of its own. */
  peer(name: string, options?: Readonly<Record<string, string | number>>): Promise<Peer>;
  /** The same inside the test, to look into it. */
  near(name: string, options?: Record<string, unknown>): Promise<Backend>;
  /** Those that were started, in that order. */
  readonly peers: readonly Peer[];
  readonly nears: readonly Backend[];
}

export interface Peer {
  readonly url: string;
  readonly pid: number;
}

/** A gateway under a fault, for steps of its own. */
export interface Trial {
  readonly running: Running;
  readonly client: TestClient;
  readonly setup: Setup;
  /** When the gateway began to listen, milliseconds of performance.now(). */
  readonly began: number;
  /** What the client was told on its GET stream. */
  readonly notes: readonly Json[];
  call(tool: string, args?: Json): Promise<Reply>;
  /** What `/health` says of a backend. */
  detail(name?: string): Promise<HealthBody['servers']['details'][number]>;
  /** Notes a complaint unless it holds. */
  check(column: Column, holds: boolean, complaint: string): void;
  /** Waits until it holds; a complaint after `ms`. */
  expectSoon(column: Column, what: string, holds: () => Promise<boolean> | boolean, ms?: number): Promise<void>;
  readonly sleep: (ms: number) => Promise<void>;
}

export interface Fault {
  readonly name: string;
  /** The entry of `odd` in the configuration. */
  readonly backend: Json | ((setup: Setup) => Promise<Json> | Json);
  /** Further entries. */
  readonly beside?: Json;
  /** Options of the gateway besides the short times of the suite. */
  readonly gateway?: Json;
  /** Before the call `odd` is connected, has failed with a reason, or whatever it is. Default: connected. */
  readonly ready?: 'connected' | 'failed' | 'any';
  /** The call it is about, by default `boom` of `odd`; false: none. */
  readonly call?: (Partial<Expected> & { readonly tool?: string; readonly args?: Json }) | false;
  /** What follows: a backend that serves, or an error that says why not. */
  readonly after: 'usable' | 'error' | 'either';
  /** The cause, in an error that comes afterwards. */
  readonly afterSays?: RegExp;
  /** Milliseconds until it is usable again. Default: 5,000. */
  readonly recovers?: number;
  /** What `/health` says of `odd` in the end. Default: connected, if it is usable. */
  readonly state?: RegExp;
  /** What else the reference says of this fault. */
  readonly steps?: (trial: Trial) => Promise<void>;
  /** `kill -9` of the gateway instead of SIGTERM. */
  readonly kill?: boolean;
}

/** The names of the faults that a list holds, for tests that take some of them. */
export function pick(faults: readonly Fault[], ...names: readonly string[]): Fault[] {
  return names.map((name) => {
    const found = faults.find((fault) => fault.name === name);
    if (!found) throw new Error(`there is no fault "${name}"`);
    return found;
  });
}
