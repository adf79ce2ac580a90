import { Hono } from 'hono';
import type { Inspection } from '../observe/inspect.ts';
import type { Env } from './env.ts';
import type { Streams } from './streams.ts';
export interface InspectOptions {
  readonly inspection: Inspection;
  readonly streams: Streams;
}
export function inspectRoutes(_: InspectOptions): Hono<Env> {
  return new Hono<Env>();
}
