/**
 * What the suite is expected to have for a version of the protocol, and the checks that make a scenario pass. Some checks of the suite
 * are silent where a server does without an optional feature; naming them keeps a scenario from passing by testing nothing.
 */

export const VERSION = '2025-11-25';

/** Scenario → ids of the checks that have to succeed. */
export type Scenarios = Readonly<Record<string, readonly string[]>>;

/** Scenarios that have one check, of their own name. */
const simple = (...names: string[]): Scenarios => Object.fromEntries(names.map((name) => [name, [name]]));
const under = (prefix: string, ...checks: string[]): string[] => checks.map((check) => `${prefix}-${check}`);

export const SERVER_SCENARIOS: Scenarios = {
  ...simple('server-initialize', 'logging-set-level', 'ping', 'completion-complete', 'tools-list', 'tools-call-simple-text'),
  ...simple('tools-call-image', 'tools-call-audio', 'tools-call-embedded-resource', 'tools-call-mixed-content'),
  ...simple('tools-call-with-logging', 'tools-call-error', 'tools-call-with-progress', 'tools-call-sampling', 'tools-call-elicitation'),
  'json-schema-2020-12': under('json-schema-2020-12', 'tool-found', '$schema', '$defs', 'additionalProperties'),
  'elicitation-sep1034-defaults': under(
    'elicitation-sep1034',
    'string-default',
    'integer-default',
    'number-default',
    'enum-default',
    'boolean-default',
  ),
  'server-sse-polling': under('server-sse', 'priming-event', 'retry-field'),
  'server-sse-multiple-streams': ['server-accepts-multiple-post-streams'],
  'elicitation-sep1330-enums': under(
    'elicitation-sep1330',
    'untitled-single',
    'titled-single',
    'legacy-enumnames',
    'untitled-multi',
    'titled-multi',
  ),
  ...simple('resources-list', 'resources-read-text', 'resources-read-binary', 'resources-subscribe', 'resources-unsubscribe'),
  'resources-templates-read': ['resources-templates-read'],
  ...simple('prompts-list', 'prompts-get-simple', 'prompts-get-with-args', 'prompts-get-embedded-resource', 'prompts-get-with-image'),
  'dns-rebinding-protection': under('localhost-host', 'rebinding-rejected', 'valid-accepted'),
};

/** The polling scenario against a server that really closes the stream of a call. */
export const POLLING: Scenarios = { 'server-sse-polling': under('server-sse', 'priming-event', 'retry-field', 'disconnect-resume') };

/** Without `auth/*`. */
export const CLIENT_SCENARIOS: Scenarios = {
  initialize: ['mcp-client-initialization'],
  tools_call: ['tool-add-numbers'],
  'elicitation-sep1034-client-defaults': under(
    'client-elicitation-sep1034',
    'string-default',
    'integer-default',
    'number-default',
    'enum-default',
    'boolean-default',
  ),
  'sse-retry': under('client-sse', 'graceful-reconnect', 'retry-timing', 'last-event-id'),
};
