/** Every metric of our own: its type, its labels, and what it says. README's table is made from it. */

export type MetricType = 'counter' | 'gauge' | 'histogram';

interface Family {
  readonly type: MetricType;
  readonly help: string;
  /** Names of labels; their values come from the configuration or from closed sets, never from clients or servers. */
  readonly labels: readonly string[];
}

// biome-ignore format: a table, one row a metric
export const FAMILIES = {
  onemcp_calls_total: { type: 'counter', labels: ['server', 'method', 'outcome'], help: 'Requests of clients for a server that are over. An empty server: they belong to none. outcome: ok, tool_error (the tool itself says that it failed), error (the client got an error instead of an answer), cancelled.' },
  onemcp_call_errors_total: { type: 'counter', labels: ['server', 'code'], help: 'Those with the outcome error, by its code; rpc is an error that the server itself answered with.' },
  onemcp_call_repeats_total: { type: 'counter', labels: ['server'], help: 'Requests that were made once more because their connection was lost.' },
  onemcp_call_duration_seconds: { type: 'histogram', labels: ['server'], help: 'Time from the arrival of such a request to its end, waiting included, whatever its outcome.' },
  onemcp_calls_in_flight: { type: 'gauge', labels: ['server'], help: 'Requests that a server is working on.' },
  onemcp_queue_length: { type: 'gauge', labels: ['server'], help: 'Requests that wait for a place at a server, for its connection, or for its operator.' },
  onemcp_queue_age_seconds: { type: 'gauge', labels: ['server'], help: 'How long the oldest of them has waited; 0 while there is none.' },
  onemcp_sessions: { type: 'gauge', labels: [], help: 'Clients that have a session.' },
  onemcp_event_streams: { type: 'gauge', labels: [], help: 'Open event streams to clients.' },
  onemcp_unread_closed_total: { type: 'counter', labels: [], help: 'Connections that were closed because their clients did not read; brought up to date once a minute.' },
  onemcp_backend_info: { type: 'gauge', labels: ['server', 'transport'], help: 'Always 1: the servers of the configuration, and how each is reached (stdio, http, sse).' },
  onemcp_backend_state: { type: 'gauge', labels: ['server', 'state'], help: '1 for the state that a server is in, 0 for every other.' },
  onemcp_backend_up: { type: 'gauge', labels: ['server'], help: '1 while a server is usable: connected, or asleep until a request needs it, and not held by its operator.' },
  onemcp_backend_instances: { type: 'gauge', labels: ['server'], help: 'Connections to a server besides its first.' },
  onemcp_backend_restarts_total: { type: 'counter', labels: ['server'], help: 'Connections to a server after the first, whatever ended the one before, but for those that only ended a sleep.' },
  onemcp_list_changed_total: { type: 'counter', labels: ['kind'], help: 'list_changed notifications that clients were sent, or that are kept until they listen.' },
  onemcp_list_changed_coalesced_total: { type: 'counter', labels: ['kind'], help: 'Changes of a list that needed no notification of their own, because another change was announced with them.' },
  onemcp_reloads_total: { type: 'counter', labels: ['result'], help: 'Times the configuration was read again: applied, unchanged, or rejected for its errors.' },
  onemcp_config_last_reload_successful: { type: 'gauge', labels: [], help: '0 while the configuration file has errors and the one before is in force, otherwise 1.' },
  onemcp_gateway_status: { type: 'gauge', labels: [], help: 'The status of /health: 0 healthy, 1 degraded, 2 unhealthy.' },
  onemcp_build_info: { type: 'gauge', labels: ['version', 'node'], help: 'Always 1: the versions of onemcp and of Node.' },
} as const satisfies Record<`onemcp_${string}`, Family>;

export type MetricName = keyof typeof FAMILIES;
