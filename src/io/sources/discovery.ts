/** One server that was found, as an entry of `mcpServers` would say it. */
export interface Discovered {
  readonly name: string;
  /** The entry, in the words of `mcpServers`; not checked yet. */
  readonly entry: Readonly<Record<string, unknown>>;
  /** Where it was found, for people: a file, a container, a Service. */
  readonly place: string;
}

export interface DiscoveryHandlers {
  /** All that is there now; called again whenever that changes. */
  readonly onFound: (found: readonly Discovered[]) => void;
  /** What is wrong with the source as a whole; undefined once it works again. What was found last stays. */
  readonly onProblem: (message: string | undefined) => void;
}

/** A place outside the configuration file that names servers. Never throws; what it cannot read it tells `onProblem`, and tries again. */
export interface DiscoverySource {
  /** For logs and health: `conf.d`, `docker`, `kubernetes`. */
  readonly name: string;
  /** Starts to look; returns what stops it. */
  watch(handlers: DiscoveryHandlers): () => void;
}
