/** Provenance of an item, under our own `_meta` prefix. MCP basic §_meta. */
export const SERVER_META = 'dev.onemcp/server';
export const ORIGINAL_NAME_META = 'dev.onemcp/originalName';

/** `_meta` key that names the servers of which items are missing in a list. */
export const PARTIAL_META = 'dev.onemcp/partial';

/** Our `_meta` key of results that say why a backend could not answer. */
export const ERROR_META = 'dev.onemcp/error';
