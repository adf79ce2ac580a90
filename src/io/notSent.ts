import { OnemcpError } from '../errors.ts';

/**
 * The error of a request of which certainly nothing has reached the backend: its `data.sent` is `false`, so it may be sent
 * again whatever it does. Every other error leaves that open.
 */
export function notSent(error: OnemcpError): OnemcpError {
  return new OnemcpError(error.code, error.message, { ...error.data, sent: false }, error.cause);
}
