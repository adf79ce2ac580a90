/** The ways in which a client of a client scenario is connected to the gateway. */
export const FRONTS = ['client-http', 'client-stdio'] as const;
export type Front = (typeof FRONTS)[number];
